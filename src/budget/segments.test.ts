import { describe, expect, it } from "vitest";
import { OptionError } from "../errors.js";
import { evictedSlots, evictionOrder } from "./segments.js";

const MAPS = [1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64].map((side) => ({ height: side, width: side }));

describe("evictionOrder", () => {
  /** Two layers of two heads; of each source scale behind one sink the masses of slots 0 to 3. */
  const massOf = (...sources: number[][]): number[][][] =>
    [0, 1].map((layer) => [0, 1].map((head) => [9, ...sources.map((masses) => masses[2 * layer + head] ?? NaN)]));

  it("orders every source scale by itself, ties by head and then by layer", () => {
    expect(evictionOrder(massOf([4, 3, 2, 1], [1, 0, 1, 0]), 1)).toEqual([
      [3, 2, 1, 0],
      [1, 3, 0, 2],
    ]);
  });

  it("has nothing to say about sinks", () => {
    expect(evictionOrder(massOf([4, 3, 2, 1]))).toEqual([]);
  });

  it("refuses a mass that is none", () => {
    expect(() => evictionOrder(massOf([4, 3, NaN, 1]), 1)).toThrow(
      new OptionError("attention mass NaN in layer 1, head 0: not a number from 0"),
    );
  });
});

describe("evictedSlots", () => {
  it("evicts as many as the published schedule", () => {
    // `pruned_heads_for_budget(0.1, retained_tokens=21)` of github.com/arm-research/heatkv for 2B, 32 × 16 slots.
    const published = [0, 0, 0, 0, 0, 0, 0, 159, 297, 385, 435, 463];
    expect(evictedSlots({ maps: MAPS, slots: 512, budget: 642.5 })).toEqual(published);
  });

  it("evicts no more than it must", () => {
    const budget = 300;
    const history = [521, 921, 1497, 2521, 4121, 6425];
    const held = (tokens: number, evicted: number): number => (512 - evicted) * tokens + evicted * 21;
    evictedSlots({ maps: MAPS, slots: 512, budget })
      .slice(6)
      .forEach((evicted, index) => {
        expect(held(history[index]!, evicted)).toBeLessThanOrEqual(512 * budget);
        expect(held(history[index]!, evicted - 1)).toBeGreaterThan(512 * budget);
      });
  });

  it("refuses a budget below the sinks", () => {
    expect(() => evictedSlots({ maps: MAPS, slots: 512, budget: 20 })).toThrow(
      new OptionError("budget 20: fewer tokens than the 21 of the 3 scales that always stay"),
    );
  });
});
