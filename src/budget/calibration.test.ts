import { describe, expect, it } from "vitest";
import { BudgetError, OptionError } from "../errors.js";
import { checkBudget } from "./budget.js";
import { calibratedBudget, emptyStatistics, meanStatistics, rebase, type AttentionStatistics } from "./calibration.js";

const MODEL = { depth: 3, heads: 2, width: 8 };
/** Histories of 1, 5, 21, 57, 121 tokens. */
const MAPS = [1, 2, 4, 6, 8, 12].map((side) => ({ height: side, width: side }));
const SCHEDULE = { ratio: 1, pixels: "a test", maps: MAPS };
const MADE = { by: "a test", prompts: null, seed: null };

/** Layer 1 spreads its attention: little of it stays in the map, and little on single tokens. */
function spreading(): AttentionStatistics {
  const shares = [0.9, 0.2, 0.8];
  const rows = shares.map((share) => MAPS.map(() => share));
  const segments = shares.map((_, layer) =>
    [0, 1].map((head) => MAPS.slice(1).map((_, s) => layer + head / 2 + s / 8)),
  );
  return { current: rows, history: rows, segments, variance: shares.map((share) => [share, share / 3]) };
}

describe("calibratedBudget", () => {
  const task = { model: MODEL, schedule: SCHEDULE, base: 30, made: MADE };

  it("names the layers of the lowest selectivity drafters, at the scales that read an evicted cache", () => {
    const { roles, capacities } = calibratedBudget(spreading(), { ...task, base: 100, drafters: 1 });
    // 121 tokens are the first that exceed 100: the scale after them, number 5, reads what is left.
    expect(roles).toEqual([
      [null, null, null, null, null, "refiner"],
      [null, null, null, null, null, "drafter"],
      [null, null, null, null, null, "refiner"],
    ]);
    expect(capacities.map((row) => row.reduce((sum, tokens) => sum + tokens, 0))).toEqual([3, 15, 63, 171, 300]);
    expect(capacities[4]![1]).toBeGreaterThan(capacities[4]![0]!);
  });

  it("is a whole budget, whose order of eviction follows the mass it states", () => {
    const budget = calibratedBudget(spreading(), task);
    expect(checkBudget(structuredClone(budget), "it")).toEqual(budget);
    // Two source scales after the three sinks; mass grows with the layer, then with the head.
    expect(budget.segments?.order).toEqual([
      [0, 1, 2, 3, 4, 5],
      [0, 1, 2, 3, 4, 5],
    ]);
  });

  it("says the same for another budget as a calibration for that budget does", () => {
    const other = calibratedBudget(spreading(), { ...task, base: 40 });
    expect(rebase(calibratedBudget(spreading(), task), 40, "it")).toEqual(other);
    // 2 of the 6 pairs that read an evicted cache; at 15 tokens there are 9.
    const many = rebase(calibratedBudget(spreading(), { ...task, drafters: 2 }), 15, "it");
    expect(many).toEqual(calibratedBudget(spreading(), { ...task, base: 15, drafters: 3 }));
    const bare = { ...other, statistics: undefined };
    const message = "it: holds no statistics, so it is for 40 tokens a layer only";
    expect(() => rebase(bare, 30, "it")).toThrow(new BudgetError(message));
  });

  it("states what it was decided by in 6 digits", () => {
    const third = [
      [1 / 3, 1 / 3],
      [1 / 7, 1 / 7],
      [0.5, 0.5],
    ];
    const maps = [1, 5].map((side) => ({ height: side, width: side }));
    const statistics = { ...emptyStatistics(MODEL, 2), current: third, history: third };
    const { asi } = calibratedBudget(statistics, { ...task, schedule: { ...SCHEDULE, maps } }).statistics!;
    expect(asi).toEqual([
      [null, 0.111111],
      [null, 0.0204082],
      [null, 0.25],
    ]);
  });

  it("has no roles where nothing is evicted", () => {
    const { roles, capacities } = calibratedBudget(spreading(), { ...task, base: 121 });
    expect(roles.flat().every((role) => role === null)).toBe(true);
    expect(capacities.at(-1)).toEqual([121, 121, 121]);
  });

  it("refuses more drafters than there are places", () => {
    const made = (): unknown => calibratedBudget(spreading(), { ...task, drafters: 7 });
    expect(made).toThrow(new OptionError("drafters 7: not a whole number from 0 to 6 pairs of layer and scale"));
  });
});

it("meanStatistics counts every measurement the same", () => {
  const one = emptyStatistics({ depth: 1, heads: 2 }, 2);
  const other = { current: [[1, 0.5]], history: [[0, 0.25]], segments: [[[0.75], [0]]], variance: [[0.5, 1]] };
  expect(meanStatistics([one, other])).toEqual({
    current: [[0.5, 0.25]],
    history: [[0, 0.125]],
    segments: [[[0.375], [0]]],
    variance: [[0.25, 0.5]],
  });
});
