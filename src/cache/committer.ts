/**
 * The sessions that carry a plan out: narrow, append, keep, select; and the one that measures. None has weights, so one
 * of each serves all layers and all images of a model; each is made when first needed.
 */
import type { GraphModel } from "../graph/model.js";
import { disposeAll } from "../runtime/dispose.js";
import { Session, type SessionOptions, type Tensors } from "../runtime/session.js";
import { float32, int64, type Tensor } from "../runtime/tensor.js";
import { buildAppend, buildKeep, buildNarrow, buildSelect } from "./commit-graph.js";
import type { CommitShape } from "./lanes.js";
import type { Scored, Scoring } from "./policy.js";
import { roundSizes } from "./unlike-graph.js";
import { buildStatistics } from "./statistics-graph.js";

/** Outputs of a run: tensors to write into, or null to have them allocated. Undefined asks for all of them. */
export type Into = Readonly<Record<string, Tensor | null>> | undefined;

/** The commit sessions of one model. */
export class Committer {
  private readonly sessions = new Map<string, Promise<Session>>();

  constructor(
    readonly shape: CommitShape,
    private readonly options: SessionOptions,
  ) {}

  /** The new tokens in their stored form; see `buildNarrow`. */
  async narrow(feeds: Tensors, into: Into): Promise<Tensors> {
    return (await this.session("narrow", () => buildNarrow(this.shape))).run(feeds, into);
  }

  /** The cached tokens and the new ones; see `buildAppend`. */
  async append(feeds: Tensors, into: Into): Promise<Tensors> {
    return (await this.session("append", () => buildAppend(this.shape))).run(feeds, into);
  }

  /** The tokens at `positions`, the same in every lane; see `buildKeep`. */
  async keep(feeds: Tensors, positions: readonly number[], lanes: number, into: Into): Promise<Tensors> {
    const session = await this.session("keep", () => buildKeep(this.shape));
    const tiled = positions.flatMap((position) => new Array<number>(lanes).fill(position));
    const given = { positions: int64(tiled, [positions.length, lanes]), lanes: laneNumbers(lanes) };
    return session.run({ ...feeds, ...given }, into);
  }

  /** The window and the best of the others, judged by `observed` of the feeds; see `buildSelect`. */
  async select(
    feeds: Tensors,
    scoring: Scoring,
    { capacity, window }: Scored,
    lanes: number,
    into: Into,
  ): Promise<Tensors> {
    const session = await this.session(`select ${JSON.stringify(scoring)}`, () => buildSelect(this.shape, scoring));
    const fresh = feeds.new_k!.dims[0]!;
    const length = feeds.past_k!.dims[0]! + fresh;
    const others = capacity - window.length;
    const tiled = Array.from({ length: lanes }, () => window).flat();
    const given = {
      window: int64(tiled, [lanes, window.length]),
      ...(scoring.rounds
        ? { others: int64(roundSizes(others, scoring.rounds), [scoring.rounds]) }
        : { others: int64([others], [1]), excluded: outside(window, length) }),
      count: int64([capacity], [1]),
      ...(scoring.merge !== undefined ? {} : { lanes: laneNumbers(lanes) }),
      // New tokens have been given nothing yet.
      ...(scoring.cumulative ? { new_scores: float32(new Float32Array(lanes * fresh), [lanes, 1, fresh]) } : {}),
    };
    return session.run({ ...feeds, ...given }, into);
  }

  /** How attention is spread over the cached tokens and the new ones; see `buildStatistics`. */
  async statistics(feeds: Tensors): Promise<Tensors> {
    return (await this.session("statistics", () => buildStatistics(this.shape))).run(feeds);
  }

  /** Frees the sessions. */
  async dispose(): Promise<void> {
    const made = await Promise.allSettled(this.sessions.values());
    this.sessions.clear();
    // Of one that could not be made there is nothing to free, and whoever wanted it was told.
    await disposeAll(made.flatMap((each) => (each.status === "fulfilled" ? [each.value] : [])));
  }

  private session(name: string, build: () => Promise<GraphModel>): Promise<Session> {
    const found = this.sessions.get(name);
    if (found) return found;
    const made = build().then((model) => Session.create(model, this.options));
    this.sessions.set(name, made);
    // Asking again tries again.
    made.catch(() => this.sessions.delete(name));
    return made;
  }
}

/** [1, length]: −∞ on the window, 0 elsewhere. */
function outside(window: readonly number[], length: number): Tensor {
  const excluded = new Float32Array(length);
  for (const position of window) excluded[position] = -Infinity;
  return float32(excluded, [1, length]);
}

function laneNumbers(lanes: number): Tensor {
  return int64([...new Array<number>(lanes).keys()], [lanes]);
}
