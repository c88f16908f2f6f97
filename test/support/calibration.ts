/** A calibration that nobody made: heads that look back differently, by numbers that only look random. */
import type { Budget } from "../../src/budget/budget.js";
import { calibratedBudget } from "../../src/budget/calibration.js";
import { historyAfter } from "../../src/budget/maps.js";
import type { PolicyTask } from "../../src/cache/registry.js";
import { noise } from "./cache.js";

/** For a model and schedule; its own base is what one layer of the full cache holds. */
export function madeUpCalibration({ model, maps }: Pick<PolicyTask, "model" | "maps">): Budget {
  const { depth, heads } = model;
  const shares = (length: number, seed: number): number[] => Array.from(noise(length, seed), (v) => (v + 1) / 2);
  const byScale = (seed: number): number[][] =>
    Array.from({ length: depth }, (_, layer) => shares(maps.length, seed + layer));
  return calibratedBudget(
    {
      current: byScale(1),
      history: byScale(1000),
      segments: Array.from({ length: depth }, (_, layer) =>
        Array.from({ length: heads }, (__, head) => shares(maps.length - 1, 2000 + layer * heads + head)),
      ),
      variance: Array.from({ length: depth }, (_, layer) => shares(heads, 9000 + layer)),
    },
    {
      model,
      schedule: { ratio: 1, pixels: "a test", maps },
      base: historyAfter(maps).at(-1)!,
      made: { by: "a test", prompts: null, seed: null },
    },
  );
}
