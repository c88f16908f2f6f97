/** What `heatkv`, `hack`, `h2o` and `adaptive` decide; that caches carry it out is the conformance suite's business. */
import { describe, expect, it } from "vitest";
import type { CacheRun, Eviction } from "../policy.js";
import { adaptive } from "./adaptive.js";
import { h2o } from "./h2o.js";
import { hack } from "./hack.js";
import { heatkv } from "./heatkv.js";

/** Maps of 1, 4, 16, 36 and 64 tokens are kept, one layer of two heads. */
const RUN: CacheRun = {
  layers: 1,
  heads: 2,
  maps: [1, 2, 4, 6, 8, 12].map((side) => ({ height: side, width: side })),
};

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** The same capacity for every slot. */
const capacities = (capacity: number, slots: number): number[][] =>
  RUN.maps.slice(1).map(() => new Array<number>(slots).fill(capacity));

describe("heatkv", () => {
  // Of scale 3 head 0 goes first, of scale 4 head 1.
  const order = [
    [0, 1],
    [1, 0],
  ];

  it("evicts whole segments, the lowest-ranked first, of old and new scales alike", () => {
    const { headwise, evictions, lengths } = heatkv({ order, sinks: 3, budget: 80 }).plan(RUN);
    expect(headwise).toBe(true);
    expect(lengths.slice(0, 4)).toEqual([1, 5, 21, 57].map((tokens) => [tokens, tokens]));
    // 2 · 121 tokens exceed 160: one slot of each scale must go. Head 0 loses scale 3, head 1 scale 4.
    expect(evictions[4]).toEqual([
      { kind: "fixed", positions: [...range(0, 21), ...range(57, 121)] },
      { kind: "fixed", positions: range(0, 57) },
    ]);
    expect(lengths[4]).toEqual([85, 57]);
  });

  it("does not ask again for what is gone", () => {
    const { evictions } = heatkv({ order, sinks: 3, budget: 40 }).plan(RUN);
    // After scale 3 one slot has lost it; after scale 4 both have lost everything but the sinks.
    expect(evictions[3]).toEqual([{ kind: "fixed", positions: range(0, 21) }, { kind: "none" }]);
    expect(evictions[4]).toEqual([
      { kind: "fixed", positions: range(0, 21) },
      { kind: "fixed", positions: range(0, 21) },
    ]);
  });
});

describe("policies whose scores add up", () => {
  const last = (evictions: readonly (readonly Eviction[])[]): readonly Eviction[] => evictions.at(-1)!;

  it("h2o keeps the latest half, and lets 64 spread queries judge the rest from the first scale on", () => {
    const { evictions, scoring } = h2o({ capacities: capacities(40, 1) }).plan(RUN);
    expect(scoring?.cumulative).toBe(true);
    expect(evictions[0]).toEqual([{ kind: "scored", capacity: 1, window: [], observers: [0] }]);
    expect(last(evictions)).toEqual([
      { kind: "scored", capacity: 40, window: range(104 - 20, 104), observers: range(0, 64) },
    ]);
  });

  it("hack keeps nothing for contextual heads in any case, for structural ones the first two scales and the latest", () => {
    const { evictions } = hack({ capacities: capacities(25, 2), contextual: [true, false] }).plan(RUN);
    const [contextual, structural] = last(evictions);
    const observers = range(0, 32).map((i) => 2 * i + 1);
    expect(contextual).toEqual({ kind: "scored", capacity: 25, window: [], observers });
    const window = [...range(0, 5), ...range(89 - 10, 89)];
    expect(structural).toEqual({ kind: "scored", capacity: 25, window, observers });
  });

  it("adaptive keeps the first two scales of every layer, and merges the others", () => {
    const own = RUN.maps.slice(1).map(() => [20, 50]);
    const { evictions, scoring, headwise } = adaptive({ capacities: own }).plan({ ...RUN, layers: 2 });
    expect(headwise).toBeUndefined();
    expect(scoring).toMatchObject({ rounds: 4, merge: 0.6 });
    expect(last(evictions)).toMatchObject([
      { capacity: 20, window: range(0, 5) },
      { capacity: 50, window: range(0, 5) },
    ]);
  });
});
