import { describe, expect, it } from "vitest";
import { scorePositions, selectPositions, type Lane } from "./oracle.js";
import type { Scored, Scoring } from "./policy.js";

const scoring = (
  kind: "max" | "average",
  size: number,
  { contribution = "logit", exclusion = "after" }: Partial<Scoring> = {},
): Scoring => ({
  queries: "attention",
  contribution,
  pooling: { kind, size },
  exclusion,
});

/** One observer with a query of 1 and one channel: the keys are the scores. */
const scored = (...keys: number[]): Lane => ({ keys: Float32Array.from(keys), queries: Float32Array.of(1), dim: 1 });

const choose = (capacity: number, window: number[]): Scored => ({ kind: "scored", capacity, window, observers: [0] });

describe("scorePositions", () => {
  const keys = Float32Array.of(1, 2, 3, 4, -1, 0, 0, 2);
  const queries = Float32Array.of(1, 0, 2, -1);
  const twoObservers: Lane = { keys, queries, dim: 2 };

  it("sums the observers' logits over √dim", () => {
    // Keys (1, 2), (3, 4), (−1, 0), (0, 2); their products with (1, 0) are 1, 3, −1, 0, with (2, −1) 0, 2, −2, −2.
    const expected = [1, 5, -3, -2].map((logit) => logit / Math.SQRT2);
    const found = scorePositions(twoObservers, [], scoring("max", 1));
    found.forEach((score, i) => expect(score).toBeCloseTo(expected[i]!, 12));
  });

  it("sums the observers' attention weights, which see the window too", () => {
    const powers = [1, 3, -1, 0].map(Math.exp);
    const others = [0, 2, -2, -2].map(Math.exp);
    const total = (all: number[]): number => all.reduce((sum, power) => sum + power, 0);
    const found = scorePositions(twoObservers, [1], scoring("max", 1, { contribution: "weight" }));
    for (const i of [0, 2, 3])
      expect(found[i]).toBeCloseTo(powers[i]! / total(powers) + others[i]! / total(others), 12);
    expect(found[1]).toBe(-Infinity);
  });

  it("adds what keys were given earlier", () => {
    const found = scorePositions({ ...scored(3, 6, 9), earlier: [10, 20] }, [], scoring("max", 1));
    expect([...found]).toEqual([13, 26, 9]);
  });

  it("takes the largest of the neighbours, none of them beyond the ends", () => {
    expect([...scorePositions(scored(-4, -3, -9, -8, -7), [], scoring("max", 3))]).toEqual([-3, -3, -3, -7, -7]);
  });

  it("takes the mean of the neighbours, with zeros beyond the ends", () => {
    expect([...scorePositions(scored(3, 6, 9, 0, -3), [], scoring("average", 3))]).toEqual([3, 6, 5, 2, -1]);
  });

  it("lets the window lend its score to its neighbours unless it is excluded before", () => {
    const keys = scored(1, 2, 9, 4, 5, 6);
    const before = { exclusion: "before" } as const;
    expect([...scorePositions(keys, [2], scoring("max", 3))]).toEqual([2, 9, -Infinity, 9, 6, 6]);
    expect([...scorePositions(keys, [2], scoring("max", 3, before))]).toEqual([2, 2, -Infinity, 5, 6, 6]);
    expect([...scorePositions(keys, [2], scoring("average", 3))]).toEqual([1, 4, -Infinity, 6, 5, 11 / 3]);
    const spread = [1, -Infinity, -Infinity, -Infinity, 5, 11 / 3];
    expect([...scorePositions(keys, [2], scoring("average", 3, before))]).toEqual(spread);
  });
});

describe("selectPositions", () => {
  const plain = scoring("max", 1);

  it("keeps the window and the best of the others, sorted", () => {
    expect(selectPositions(scored(5, 1, 4, 2, 3), choose(3, [3]), plain)).toEqual([0, 2, 3]);
    expect(selectPositions(scored(5, 1, 4, 2, 3), choose(4, [0, 3]), plain)).toEqual([0, 2, 3, 4]);
  });

  it("keeps the older one of equal scores, as on the plateaus that pooling makes", () => {
    expect(selectPositions(scored(0, 0, 9, 0, 0, 0), choose(3, [5]), scoring("max", 5))).toEqual([0, 1, 5]);
    expect(selectPositions(scored(2, 7, 7, 7, 2), choose(3, [0]), plain)).toEqual([0, 1, 2]);
  });

  it("keeps the window alone where nothing else has room", () => {
    expect(selectPositions(scored(9, 8, 7, 6), choose(2, [2, 3]), plain)).toEqual([2, 3]);
  });

  it("keeps everything once where there is room", () => {
    expect(selectPositions(scored(9, 8, 7, 6), choose(4, [1]), scoring("average", 3))).toEqual([0, 1, 2, 3]);
  });

  it("chooses a window position twice where the published code does", () => {
    const published = scoring("average", 3, { exclusion: "before" });
    expect(selectPositions(scored(9, 8, 7, 6), choose(4, [1]), published)).toEqual([0, 1, 1, 3]);
  });
});
