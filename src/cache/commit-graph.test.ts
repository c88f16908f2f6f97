import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  choiceFeeds,
  expectSelected,
  laneNumbers,
  laneOf,
  noise,
  positionsOf,
  tokensOf,
  widened,
} from "../../test/support/cache.js";
import { runModel } from "../../test/support/graph.js";
import { CPU_TARGET } from "../graph/model.js";
import type { Tensors } from "../runtime/session.js";
import { float32, int64, values, type Tensor } from "../runtime/tensor.js";
import { buildAppend, buildKeep, buildNarrow, buildSelect } from "./commit-graph.js";
import type { CommitShape } from "./lanes.js";
import { givenScores } from "./oracle.js";
import type { Scored, Scoring } from "./policy.js";
import { FINE_TOKENS, fineKnown, STORAGE_TYPES } from "./storage.js";
import { roundSizes } from "./unlike-graph.js";

interface Cache extends CommitShape {
  readonly rows: number;
  readonly cached: number;
  readonly fresh: number;
  readonly seed: number;
  /** Keys and queries are whole numbers up to this; 0 makes all scores equal, undefined takes any numbers. */
  readonly whole?: number | undefined;
}

const caches = fc.record({
  storage: fc.constantFrom(...STORAGE_TYPES),
  rows: fc.integer({ min: 1, max: 3 }),
  heads: fc.integer({ min: 1, max: 3 }),
  // √dim is a power of two, so that dividing by it is exact.
  dim: fc.constantFrom(4, 16),
  cached: fc.integer({ min: 0, max: 20 }),
  fresh: fc.integer({ min: 1, max: 20 }),
  seed: fc.integer(),
  whole: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
  target: fc.constant(CPU_TARGET),
});

function zeros(...shape: number[]): Tensor {
  return float32(new Float32Array(shape.reduce((product, axis) => product * axis, 1)), shape);
}

/** [tokens, rows, C] float32, another for every phase. */
function numbers(cache: Cache, tokens: number, phase: number): Tensor {
  const { rows, heads, dim, seed, whole } = cache;
  const drawn = noise(tokens * rows * heads * dim, seed + phase);
  const data = whole === undefined ? drawn : drawn.map((value) => Math.round(value * whole));
  return float32(data, [tokens, rows, heads * dim]);
}

/** Keys and values of all tokens as they are stored: what `buildNarrow` makes of them. */
async function storedCache(cache: Cache): Promise<{ stored: Tensors; feeds: Tensors }> {
  const { cached, fresh } = cache;
  const [k, v] = [numbers(cache, cached + fresh, 1), numbers(cache, cached + fresh, 2)];
  /** Of tokens behind `past` others, all that ever came. */
  const fineFeed = (past: number, tokens: number): Tensors => {
    const known = fineKnown(past, past, tokens);
    return cache.storage === "int8" ? { new_fine: float32(known, [known.length, 1, 1, 1]) } : {};
  };
  const all = { new_k: k, new_v: v, ...fineFeed(0, cached + fresh) };
  const narrowed = async (): Promise<Tensors> => runModel(await buildNarrow(cache), all);
  const stored = cache.storage === "fp32" ? { kept_k: k, kept_v: v } : await narrowed();
  const feeds: Record<string, Tensor> = {
    new_k: tokensOf(k, cached, cached + fresh),
    new_v: tokensOf(v, cached, cached + fresh),
    ...fineFeed(cached, fresh),
  };
  for (const [name, tensor] of Object.entries(stored)) {
    feeds[name.replace("kept", "past")] = tokensOf(tensor, 0, Math.min(cached, tensor.dims[0]!));
  }
  return { stored, feeds };
}

/**
 * Expects of every output the tokens at `positions` [lane][kept], to the bit, with their values and int8's scales. Of second
 * bytes there are as many as first tokens stay; a token that had none has 0.
 */
function expectKept(found: Tensors, stored: Tensors, positions: readonly (readonly number[])[]): void {
  const lanes = positions.length;
  const kept = positions[0]!.length;
  for (const [name, all] of Object.entries(stored)) {
    const places = name.endsWith("_fine") ? Math.min(kept, FINE_TOKENS) : kept;
    const elements = Array.from(all.data as ArrayLike<number>);
    const each = elements.length / all.dims[0]! / lanes;
    const row = (place: number, lane: number): number[] => {
      const start = (positions[lane]![place]! * lanes + lane) * each;
      return start < elements.length ? elements.slice(start, start + each) : new Array<number>(each).fill(0);
    };
    const expected = Array.from({ length: places * lanes }, (_, i) => row(Math.floor(i / lanes), i % lanes)).flat();
    expect({ name, type: found[name]?.type, dims: found[name]?.dims }).toEqual({
      name,
      type: all.type,
      dims: [places, ...all.dims.slice(1)],
    });
    expect(Array.from(found[name]!.data as ArrayLike<number>)).toEqual(expected);
  }
}

const everything = ({ cached, fresh }: Cache): number[] => [...new Array<number>(cached + fresh).keys()];

/** So many of the cache's positions, in no order. */
function somePositions(cache: Cache, count: number, phase: number): number[] {
  const all = everything(cache);
  const order = noise(all.length, cache.seed + phase);
  return all.sort((a, b) => order[a]! - order[b]!).slice(0, count);
}

describe("buildAppend and buildKeep", () => {
  it("append puts the new tokens, narrowed, behind the old ones", async () => {
    await fc.assert(
      fc.asyncProperty(caches, async (cache) => {
        const { stored, feeds } = await storedCache(cache);
        const found = await runModel(await buildAppend(cache), feeds);
        expect(Object.keys(found).sort()).toEqual(Object.keys(stored).sort());
        expectKept(found, stored, new Array<number[]>(cache.rows * cache.heads).fill(everything(cache)));
      }),
      { numRuns: 20 },
    );
  });

  it("keep copies the tokens asked for out, other ones for every lane", async () => {
    await fc.assert(
      fc.asyncProperty(caches, fc.double({ min: 0, max: 1, noNaN: true }), async (cache, part) => {
        const lanes = cache.rows * cache.heads;
        const kept = Math.max(1, Math.round(part * everything(cache).length));
        const positions = Array.from({ length: lanes }, (_, lane) => somePositions(cache, kept, 3 + lane));
        const byToken = Array.from({ length: kept * lanes }, (_, i) => positions[i % lanes]![Math.floor(i / lanes)]!);
        const { stored, feeds } = await storedCache(cache);
        const choice = { positions: int64(byToken, [kept, lanes]), lanes: laneNumbers(lanes) };
        expectKept(await runModel(await buildKeep(cache), { ...feeds, ...choice }), stored, positions);
      }),
      { numRuns: 20 },
    );
  });
});

describe("buildSelect", () => {
  // A mean that takes the window's −∞ over may choose positions twice; that is left to the published cases.
  const scorings: fc.Arbitrary<Scoring> = fc.record({
    queries: fc.constant("attention"),
    contribution: fc.constantFrom("weight", "logit"),
    pooling: fc.record({ kind: fc.constantFrom("max", "average"), size: fc.constantFrom(1, 3, 5, 7) }),
    exclusion: fc.constant("after"),
    cumulative: fc.boolean(),
  });
  /** Parts of the tokens: in the window, and of the others those that stay. */
  const parts = fc.double({ min: 0, max: 1, noNaN: true });

  /**
   * Whole numbers leave nothing to rounding but in int8 and softmax, whose scores are sums of float32: equal to some
   * 1e-6 of the largest.
   */
  const tolerance = ({ storage, whole }: Cache, { contribution, cumulative }: Scoring): number =>
    whole === undefined || storage === "int8" || contribution === "weight" || cumulative ? 1e-5 : 0;

  function evictionOf(cache: Cache, windowPart: number, otherPart: number): Scored {
    const length = everything(cache).length;
    const inWindow = Math.max(1, Math.round(windowPart * length));
    const window = somePositions(cache, inWindow, 3).sort((a, b) => a - b);
    const capacity = inWindow + Math.round(otherPart * (length - inWindow));
    return { kind: "scored", capacity, window, observers: window.map((p) => Math.max(0, p - cache.cached)) };
  }

  async function check(cache: Cache, scoring: Scoring, windowPart: number, otherPart: number): Promise<void> {
    const { rows, heads, dim, cached, fresh } = cache;
    const lanes = rows * heads;
    const eviction = evictionOf(cache, windowPart, otherPart);
    const observed = numbers(cache, eviction.observers.length, 4);

    const { stored, feeds } = await storedCache(cache);
    const earlier = noise(lanes * cached, cache.seed + 5);
    const scores = { past_scores: float32(earlier, [lanes, 1, cached]), new_scores: zeros(lanes, 1, fresh) };
    const choice = { ...choiceFeeds(eviction, lanes, cached + fresh), ...(scoring.cumulative ? scores : {}) };
    const found = await runModel(await buildSelect(cache, scoring), { ...feeds, ...choice, observed });
    const { positions: chosen, kept_scores: keptScores, ...kept } = found;
    const positions = positionsOf(chosen!);

    // The graph judges keys as attention will read them: widened from their stored form.
    const keys = widened(stored.kept_k!, stored.kept_k_scale, stored.kept_k_fine);
    for (let lane = 0; lane < lanes; lane++) {
      const queries = laneOf(values(observed), lane, lanes, dim);
      const before = scoring.cumulative ? [...earlier.subarray(lane * cached, (lane + 1) * cached)] : undefined;
      const judged = { keys: laneOf(keys, lane, lanes, dim), queries, dim, earlier: before };
      expectSelected(positions[lane]!, judged, eviction, scoring, tolerance(cache, scoring));
      if (!scoring.cumulative) continue;
      const given = givenScores(judged, scoring);
      const scoresOfLane = values(keptScores!).subarray(lane * eviction.capacity, (lane + 1) * eviction.capacity);
      // Shares of attention: at most some tens of observers, each summed over a softmax in float32.
      positions[lane]!.forEach((position, i) => expect(scoresOfLane[i]).toBeCloseTo(given[position]!, 3));
    }
    expectKept(kept, stored, positions);
  }

  it("keeps what the oracle selects, as it is stored", async () => {
    await fc.assert(fc.asyncProperty(caches, scorings, parts, parts, check), { numRuns: 100 });
  });

  const CACHE: Omit<Cache, "storage"> = {
    ...{ rows: 2, heads: 2, dim: 4, target: CPU_TARGET },
    ...{ cached: 9, fresh: 16, seed: 1 },
  };
  const AVERAGE: Scoring = {
    queries: "attention",
    contribution: "weight",
    pooling: { kind: "average", size: 5 },
    exclusion: "after",
  };

  it.each(STORAGE_TYPES)("keeps the window alone where nothing else has room, stored as %s", async (storage) => {
    await check({ ...CACHE, storage }, AVERAGE, 0.3, 0);
  });

  it.each(STORAGE_TYPES)("keeps all once where there is room, stored as %s", async (storage) => {
    await check({ ...CACHE, storage }, AVERAGE, 0.3, 1);
  });

  it("lets the window lend nothing where it is excluded before pooling by the largest", async () => {
    const before: Scoring = { ...AVERAGE, pooling: { kind: "max", size: 5 }, exclusion: "before" };
    for (const part of [0, 0.4, 1]) await check({ ...CACHE, storage: "fp32" }, before, 0.3, part);
  });

  it("works on the first scale, when nothing is cached", async () => {
    for (const storage of STORAGE_TYPES) await check({ ...CACHE, storage, cached: 0 }, AVERAGE, 0.3, 0.5);
  });

  it("merges the same on a device that cannot loop, where all lanes are worked on at once", async () => {
    const scoring: Scoring = {
      queries: "attention",
      contribution: "weight",
      pooling: { kind: "max", size: 1 },
      exclusion: "after",
      rounds: 3,
      merge: 0.3,
    };
    await fc.assert(
      fc.asyncProperty(caches, parts, parts, async (some, windowPart, otherPart) => {
        const cache: Cache = { ...some, merging: true, whole: undefined };
        const { rows, heads, cached, fresh } = cache;
        const eviction = evictionOf(cache, windowPart, otherPart);
        const { feeds } = await storedCache(cache);
        const { window, count } = choiceFeeds(eviction, rows * heads, cached + fresh);
        const given = {
          ...feeds,
          past_k_bias: zeros(cached, rows, heads),
          observed: numbers(cache, eviction.observers.length, 4),
          window: window!,
          count: count!,
          others: int64(roundSizes(eviction.capacity - eviction.window.length, 3), [3]),
        };
        const looped = await runModel(await buildSelect(cache, scoring), given);
        const atOnce = { ...cache, target: { ...CPU_TARGET, loops: false } };
        const found = await runModel(await buildSelect(atOnce, scoring), given);
        expect(positionsOf(found.positions!)).toEqual(positionsOf(looped.positions!));
        for (const name of ["kept_k", "kept_v"]) {
          const [a, b] = [found, looped].map((kept) =>
            widened(kept[name]!, kept[`${name}_scale`], kept[`${name}_fine`]),
          );
          // Sums of at most 40 numbers up to 1, in another order; int8 may round to the next step.
          expect(Math.max(...a!.map((value, i) => Math.abs(value - b![i]!)))).toBeLessThan(
            cache.storage === "int8" ? 1 / 100 : 2e-3,
          );
        }
      }),
      { numRuns: 15 },
    );
  });
});
