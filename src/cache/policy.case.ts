/**
 * What every policy must hold to, whatever it keeps. A new policy is put through all of this by one line of
 * `policies/conformance.test.ts`. First its plans, for every size that is published; then what the caches make of them,
 * with random numbers for keys, values and queries.
 */
import { describe, expect, it } from "vitest";
import { drawNoise, type Step } from "../../test/support/cache-run.js";
import { expectSelected, laneOf } from "../../test/support/cache.js";
import { historyAfter } from "../budget/maps.js";
import { CPU_TARGET } from "../graph/model.js";
import { PIXEL_CLASSES, scheduleFor, type PixelClass } from "../models/infinity/schedule.js";
import { Committer } from "./committer.js";
import { DeviceCache } from "./device-cache.js";
import { HostCache } from "./host-cache.js";
import type { KvCache } from "./kv-cache.js";
import { full } from "./policies/full.js";
import { lengthAfter, type CacheRun, type Eviction, type Plan, type Scored } from "./policy.js";
import type { ChosenPolicy, PolicyTask } from "./registry.js";
import { bytesPerToken, STORAGE_TYPES, type StorageType } from "./storage.js";

/** Makes the policy for a task under a budget; what it says it keeps on average is checked. */
export type MakePolicy = (task: PolicyTask, budget: string | number) => ChosenPolicy;

/** Infinity 2B, for which there is a published table; a small model; and one with a single layer. */
const MODELS = [
  { depth: 32, heads: 16, width: 2048 },
  { depth: 3, heads: 2, width: 8 },
  { depth: 1, heads: 1, width: 4 },
];

/** Square, nearly square, and the tallest and widest there are; height / width. */
const RATIOS = [1, 0.8, 3, 0.333];

/** 16 tokens are the observation window: the least that there is. */
const BUDGETS = ["10%", "40%", 16];

/** The suite. */
export function conformance(name: string, make: MakePolicy): void {
  describe(name, () => {
    describe.each(RATIOS)("at ratio %d", (ratio) => {
      describe.each(PIXEL_CLASSES)("and %s", (pixels) => {
        planSuite(make, ratio, pixels);
      });
    });
    describe.each(STORAGE_TYPES)("stored as %s", (storage) => {
      cacheSuite(make, storage);
    });
  });
}

/** A policy at work on one schedule. */
interface Planned extends ChosenPolicy {
  readonly run: CacheRun;
  readonly plan: Plan;
}

function planSuite(make: MakePolicy, ratio: number, pixels: PixelClass): void {
  const { maps } = scheduleFor(pixels, ratio);
  const history = historyAfter(maps);
  const planned = (budget: string | number): Planned[] =>
    MODELS.map((model) => {
      const chosen = make({ model, maps, tokenBytes: 1 }, budget);
      const run = { layers: model.depth, heads: model.heads, maps };
      return { ...chosen, run, plan: chosen.policy.plan(run) };
    });

  const all = BUDGETS.flatMap(planned);

  it("plans every scale but the last, for every layer", () => {
    for (const { run, plan } of all) {
      expect(plan.fresh).toEqual(history.map((tokens, scale) => tokens - (history[scale - 1] ?? 0)));
      expect(plan.evictions.map(({ length }) => length)).toEqual(history.map(() => run.layers));
      expect(plan.lengths).toEqual(lengthsOf(plan));
    }
  });

  it("keeps what is there: positions sorted, each once and in range, and a window that is looked after", () => {
    for (const { plan } of all) expect(problemsOf(plan)).toEqual([]);
  });

  it("uses its budget in full and never exceeds it", () => {
    for (const { run, plan, budget = Infinity } of all) {
      // No policy rounds: what does not divide evenly goes to the first layers.
      const total = history.map((tokens) => run.layers * Math.min(tokens, budget));
      expect(plan.lengths.map(sum)).toEqual(total);
    }
  });

  it("gives the same plan for the same run, whatever it planned before", () => {
    for (const { policy, run, plan } of all) {
      policy.plan({ ...run, maps: maps.slice(0, -1) });
      policy.plan({ ...run, layers: Math.ceil(run.layers / 2) });
      expect(JSON.stringify(policy.plan(run))).toBe(JSON.stringify(plan));
    }
  });

  it("evicts nothing if the budget covers the history", () => {
    for (const { plan } of [...planned("100%"), ...planned(history.at(-1)! + 1)]) {
      expect(plan.evictions.flat().filter(({ kind }) => kind !== "none")).toEqual([]);
    }
  });
}

/** Lengths that follow from a plan's evictions. */
function lengthsOf({ evictions, fresh }: Plan): number[][] {
  let lengths = evictions[0]!.map(() => 0);
  return evictions.map((layers, scale) => {
    lengths = layers.map((eviction, layer) => lengthAfter(eviction, lengths[layer]! + fresh[scale]!));
    return lengths;
  });
}

/** Everything that is wrong with the evictions of a plan. */
function problemsOf({ evictions, lengths, fresh, scoring }: Plan): string[] {
  return evictions.flatMap((layers, scale) =>
    layers.flatMap((eviction, layer) => {
      const length = (lengths[scale - 1]?.[layer] ?? 0) + fresh[scale]!;
      const problem =
        eviction.kind === "scored" && !scoring ? "no scoring rule" : problemOf(eviction, length, fresh[scale]!);
      return problem ? [`scale ${scale}, layer ${layer}: ${problem}`] : [];
    }),
  );
}

function problemOf(eviction: Eviction, length: number, fresh: number): string | undefined {
  switch (eviction.kind) {
    case "none":
      return undefined;
    case "fixed":
      return rangeProblem("positions", eviction.positions, length);
    case "scored": {
      const { capacity, window, observers } = eviction;
      if (window.length > capacity) return `window of ${window.length} tokens, capacity ${capacity}`;
      if (capacity > length) return `capacity ${capacity} of ${length} tokens`;
      if (observers.length !== window.length) return `${observers.length} observers for ${window.length} tokens`;
      if (observers.some((token) => token < 0 || token >= fresh)) return `observers ${observers.join()} of ${fresh}`;
      return rangeProblem("window", window, length);
    }
  }
}

function rangeProblem(what: string, positions: readonly number[], length: number): string | undefined {
  const sorted = positions.every((position, i) => i === 0 || position > positions[i - 1]!);
  const inside = positions.every((position) => Number.isInteger(position) && position >= 0 && position < length);
  return sorted && inside ? undefined : `${what} ${positions.join()} of ${length}`;
}

/** Two layers of two heads; √4 is a power of two, so that dividing by it is exact. */
const SMALL = { layers: 2, heads: 2, dim: 4 };

/** Schedules of 0.06M, which have 220 to 294 tokens to keep, and budgets from nearly all of them to the least. */
const DRAWN = [
  { ratio: 1, budget: "40%" },
  { ratio: 3, budget: "12%" },
  { ratio: 0.8, budget: 16 },
  { ratio: 0.571, budget: "90%" },
];

/** Rows by their seeds: each alone, and together in an order of its own. */
const ROWS = [0, 1, 2, 3];
const TOGETHER = [
  [0, 1],
  [3, 1, 0, 2],
];

/** A policy's caches in one storage type. */
class Workbench {
  readonly plan: Plan;
  readonly committer: Committer;

  constructor(
    private readonly storage: StorageType,
    { policy, run }: Pick<Planned, "policy" | "run">,
  ) {
    this.plan = policy.plan(run);
    this.committer = new Committer({ ...SMALL, storage, target: CPU_TARGET }, { device: "cpu" });
  }

  /** An image, and the cache that held it. */
  async draw(
    rows: readonly number[],
    { plan = this.plan, kind: Cache = HostCache }: { plan?: Plan; kind?: typeof HostCache | typeof DeviceCache } = {},
  ): Promise<{ steps: Step[]; cache: KvCache }> {
    const cache = new Cache({ ...SMALL, storage: this.storage, rows: rows.length, plan }, this.committer);
    return { steps: await drawNoise({ ...SMALL, cache, plan, rows }), cache };
  }
}

function cacheSuite(make: MakePolicy, storage: StorageType): void {
  describe.each(DRAWN)("ratio $ratio, budget $budget", ({ ratio, budget }) => {
    const { maps } = scheduleFor("0.06M", ratio);
    const { layers, heads, dim } = SMALL;
    const run: CacheRun = { layers, heads, maps };
    const task = { model: { depth: layers, heads, width: heads * dim }, maps, tokenBytes: 1 };
    const onBench = async (wish: string | number, test: (bench: Workbench) => Promise<void>): Promise<void> => {
      const bench = new Workbench(storage, { policy: make(task, wish).policy, run });
      await test(bench).finally(() => bench.committer.dispose());
    };

    it("keeps the stored tokens that the oracle selects, row by row, whatever is beside them", () =>
      onBench(budget, async (bench) => {
        const alone: Step[][] = [];
        for (const row of ROWS) {
          const { steps: everything } = await bench.draw([row], { plan: full.plan(run) });
          alone.push((await bench.draw([row])).steps);
          expectOracle(bench.plan, alone[row]!, everything);
        }
        for (const rows of TOGETHER) {
          const { steps } = await bench.draw(rows);
          for (const [place, row] of rows.entries()) expect(rowOf(steps, place)).toEqual(rowOf(alone[row]!, 0));
        }
      }));

    it("counts every byte, on the host and on a device, and frees all", () =>
      onBench(budget, async (bench) => {
        const [host, device] = [await bench.draw([0, 1]), await bench.draw([0, 1], { kind: DeviceCache })];
        for (const { steps, cache } of [host, device]) {
          expectAccount(bench.plan, steps, cache, storage, 2);
          cache.dispose();
          expect(cache.bytes).toBe(0);
        }
        const contents = ({ steps }: typeof host): string[] => steps.map(({ lanes }) => hex(lanes));
        expect(contents(device)).toEqual(contents(host));
      }));

    it("remembers no image: the next one is as in a new cache of a new policy", () =>
      onBench(budget, async (used) => {
        await used.draw([1, 2]);
        const { steps } = await used.draw([0, 3]);
        await onBench(budget, async (fresh) => {
          const { steps: first } = await fresh.draw([0, 3]);
          expect([rowOf(steps, 0), rowOf(steps, 1)]).toEqual([rowOf(first, 0), rowOf(first, 1)]);
        });
      }));

    it("holds what the full cache holds, to the bit, if the budget covers the history", () =>
      onBench("100%", async (bench) => {
        const { steps } = await bench.draw([0, 1]);
        const { steps: everything } = await bench.draw([0, 1], { plan: full.plan(run) });
        expect([rowOf(steps, 0), rowOf(steps, 1)]).toEqual([rowOf(everything, 0), rowOf(everything, 1)]);
      }));
  });
}

/** One row of all steps, to be compared: what stayed and what is held. */
function rowOf(steps: readonly Step[], row: number): unknown {
  const part = <T>(lanes: readonly T[]): T[] => lanes.slice(row * SMALL.heads, (row + 1) * SMALL.heads);
  return steps.map(({ kept, lanes }) => ({ kept: kept && JSON.stringify(part(kept)), held: hex(part(lanes)) }));
}

function hex(lanes: readonly Buffer[]): string {
  return Buffer.concat(lanes).toString("hex");
}

/**
 * Expects of one row, step by step: what stays is what the oracle selects, and what is held are those very tokens as
 * the full cache of the same storage type holds them.
 */
function expectOracle(plan: Plan, steps: readonly Step[], everything: readonly Step[]): void {
  const { heads, layers } = SMALL;
  const stored = everything.slice(-layers);
  // Of every layer and lane: which tokens of the whole history are in the cache.
  const held = Array.from({ length: layers }, () => Array.from({ length: heads }, (): number[] => []));
  for (const { scale, layer, observed, kept, lanes } of steps) {
    const first = sum(plan.fresh.slice(0, scale));
    const eviction = plan.evictions[scale]![layer]!;
    for (let lane = 0; lane < heads; lane++) {
      const fresh = Array.from({ length: plan.fresh[scale]! }, (_, token) => first + token);
      const tokens = [...held[layer]![lane]!, ...fresh];
      if (eviction.kind === "scored") {
        const keys = laneKeys(stored[layer]!, lane, tokens);
        expectScored(plan, eviction, { keys, observed, lane, kept: kept?.[lane] });
      }
      if (eviction.kind === "fixed") expect(kept?.[lane]).toEqual(eviction.positions);
      const stays = eviction.kind === "none" ? tokens : kept![lane]!.map((position) => tokens[position]!);
      const bytes = stored[layer]!.lanes[lane]!;
      const each = bytes.length / (stored[layer]!.keys.length / (heads * SMALL.dim));
      const expected = Buffer.concat(stays.map((token) => bytes.subarray(token * each, (token + 1) * each)));
      expect(lanes[lane]!.equals(expected), `scale ${scale}, layer ${layer}, lane ${lane}`).toBe(true);
      held[layer]![lane] = stays;
    }
  }
}

/** Keys of some tokens of the whole history, [tokens, dim], in one lane. */
function laneKeys({ keys }: Step, lane: number, tokens: readonly number[]): Float32Array {
  const { heads, dim } = SMALL;
  return Float32Array.from(
    tokens.flatMap((token) => [...keys.subarray((token * heads + lane) * dim, (token * heads + lane + 1) * dim)]),
  );
}

/** Scores are sums of at most 16 float32 products: equal to some 1e-6 of the largest. */
const SCORE_TOLERANCE = 1e-5;

function expectScored(
  { scoring }: Plan,
  eviction: Scored,
  found: { keys: Float32Array; observed: Float32Array; lane: number; kept: readonly number[] | undefined },
): void {
  const { heads, dim } = SMALL;
  const queries = laneOf(found.observed, found.lane, heads, dim);
  expect(found.kept).toEqual(expect.arrayContaining([...eviction.window]));
  expectSelected(found.kept!, { keys: found.keys, queries, dim }, eviction, scoring!, SCORE_TOLERANCE);
}

/**
 * Expects that what the cache says it holds is what its arrays hold, after every layer of every scale, and that its
 * peaks are the largest of those.
 */
function expectAccount(
  plan: Plan,
  steps: readonly Step[],
  { peak }: KvCache,
  storage: StorageType,
  rows: number,
): void {
  const stored = rows * bytesPerToken(storage, SMALL.heads, SMALL.dim);
  // New tokens come as float32, whatever they are stored as.
  const fresh = rows * bytesPerToken("fp32", SMALL.heads, SMALL.dim);
  const layers = new Array<number>(SMALL.layers).fill(0);
  const peaks = { held: 0, during: 0 };
  for (const { scale, layer, bytes, layerBytes, arrayBytes } of steps) {
    const during = sum(layers) + plan.fresh[scale]! * fresh;
    layers[layer] = plan.lengths[scale]![layer]! * stored;
    expect([bytes, layerBytes]).toEqual([sum(layers), layers[layer]]);
    // An array may have room for what is to come, never for what the plan does not keep.
    const most = Math.max(...plan.lengths.slice(scale).map((lengths) => lengths[layer]!)) * stored;
    expect(arrayBytes).toBeLessThanOrEqual(most);
    peaks.held = Math.max(peaks.held, bytes);
    peaks.during = Math.max(peaks.during, during, bytes);
  }
  expect(peak).toEqual(peaks);
  expect(steps.slice(-SMALL.layers).map(({ arrayBytes }) => arrayBytes)).toEqual(layers);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
