import { describe, expect, it } from "vitest";
import {
  byHead,
  lengthAfter,
  planEvictions,
  planHeads,
  type CacheRun,
  type Eviction,
  type Scoring,
  type Situation,
} from "./policy.js";

const MAPS = [
  { height: 1, width: 1 },
  { height: 2, width: 2 },
  { height: 2, width: 3 },
  { height: 4, width: 4 },
];
const RUN: CacheRun = { layers: 2, heads: 3, maps: MAPS };

const NONE: Eviction = { kind: "none" };
const FIXED: Eviction = { kind: "fixed", positions: [0, 3] };
const SCORED: Eviction = { kind: "scored", capacity: 5, window: [6, 7], observers: [0, 1] };

describe("lengthAfter", () => {
  it.each([
    [NONE, 9],
    [FIXED, 2],
    [SCORED, 5],
  ])("counts what $kind leaves of 9 tokens", (eviction, length) => {
    expect(lengthAfter(eviction, 9)).toBe(length);
  });
});

describe("planEvictions", () => {
  it("lets the cache grow by every map but the last where nothing is evicted", () => {
    const { fresh, lengths, evictions } = planEvictions(RUN, () => NONE);
    expect(fresh).toEqual([1, 4, 6]);
    expect(lengths).toEqual([
      [1, 1],
      [5, 5],
      [11, 11],
    ]);
    expect(evictions).toEqual(new Array(3).fill([NONE, NONE]));
  });

  it("asks for every layer's scales in their order, with what the layer holds by then", () => {
    const asked: Situation[] = [];
    const plan = planEvictions(RUN, (situation) => {
      asked.push(situation);
      if (situation.slot === 0) return NONE;
      return situation.scale === 1 ? FIXED : situation.scale === 2 ? SCORED : NONE;
    });
    expect(asked.map(({ slot, scale, cached, fresh }) => [slot, scale, cached, fresh])).toEqual([
      [0, 0, 0, 1],
      [0, 1, 1, 4],
      [0, 2, 5, 6],
      [1, 0, 0, 1],
      [1, 1, 1, 4],
      [1, 2, 2, 6],
    ]);
    expect(asked.map(({ map }) => map)).toEqual([...MAPS.slice(0, 3), ...MAPS.slice(0, 3)]);
    expect(plan.evictions).toEqual([
      [NONE, NONE],
      [NONE, FIXED],
      [NONE, SCORED],
    ]);
    expect(plan.lengths).toEqual([
      [1, 1],
      [5, 2],
      [11, 5],
    ]);
  });

  it("asks for heads by their number, where they are slots", () => {
    const fixed = (slot: number): Eviction => ({ kind: "fixed", positions: [0, slot] });
    const plan = planHeads({ ...RUN, layers: 2, heads: 2 }, ({ slot, scale }) => (scale === 2 ? fixed(slot) : NONE));
    expect(plan.headwise).toBe(true);
    expect(plan.evictions[2]).toEqual([fixed(0), fixed(1), fixed(2), fixed(3)]);
    expect(plan.lengths).toEqual([
      [1, 1, 1, 1],
      [5, 5, 5, 5],
      [2, 2, 2, 2],
    ]);
  });

  it("becomes a plan for heads in which each does what its layer does", () => {
    const plan = planEvictions(RUN, ({ slot, scale }) => (slot === 1 && scale > 0 ? FIXED : NONE));
    const heads = byHead(plan, 2);
    expect(heads).toEqual({
      ...plan,
      headwise: true,
      evictions: plan.evictions.map(([first, second]) => [first, first, second, second]),
      lengths: plan.lengths.map(([first, second]) => [first, first, second, second]),
    });
    expect(byHead(heads, 2)).toBe(heads);
  });

  it("passes the scoring rule on", () => {
    const scoring: Scoring = {
      queries: "projected",
      contribution: "logit",
      pooling: { kind: "max", size: 5 },
      exclusion: "before",
    };
    expect(planEvictions(RUN, () => SCORED, scoring).scoring).toBe(scoring);
    expect(planEvictions(RUN, () => NONE).scoring).toBeUndefined();
  });

  it("plans nothing for a run of one map, after which no scale follows", () => {
    const { fresh, evictions, lengths } = planEvictions({ ...RUN, maps: MAPS.slice(0, 1) }, () => SCORED);
    expect([fresh, evictions, lengths]).toEqual([[], [], []]);
  });
});
