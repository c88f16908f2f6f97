/**
 * The published budget tables (test/golden/budgets, from github.com/StargazerX0/ScaleKV) beside our presets, our
 * allocation, and what the reference made of them (`cache_sizes` of the recorded cases).
 */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { allocateScaleKV } from "../../src/budget/allocate.js";
import { checkBudget } from "../../src/budget/budget.js";
import { PRESETS, presetFor, type Preset } from "../../src/budget/presets.js";
import { cacheSizes, parsePublishedTable, publishedCapacities } from "../../src/budget/published.js";
import { TRANSFORMER_SIZES } from "../../src/models/catalogue.js";
import { scheduleFor } from "../../src/models/infinity/schedule.js";
import { GOLDEN } from "../support/golden.js";

/** The part of a recorded case that concerns budgets. */
interface BudgetCase {
  readonly schedule: readonly (readonly [height: number, width: number])[];
  readonly scalekv: {
    readonly cache_sizes: readonly (readonly number[] | null)[];
    readonly window_size: number;
    readonly base_capacity: number;
  };
}

const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(`${GOLDEN}${path}`, "utf8"));
const readCase = async (name: string): Promise<BudgetCase> => (await readJson(`cases/${name}/case.json`)) as BudgetCase;

function preset(name: keyof typeof TRANSFORMER_SIZES): Preset {
  const found = presetFor(TRANSFORMER_SIZES[name]);
  if (!found) throw new Error(`there is no preset for ${name}`);
  return found;
}

describe.each([
  ["2B", "budgets/2b-10.json"],
  ["8B", "budgets/8b-10.json"],
] as const)("the preset for %s", (name, file) => {
  const { budget, table } = preset(name);
  const { maps } = scheduleFor("1M");

  it("is the published table", async () => {
    expect(table).toEqual(parsePublishedTable(await readJson(file), file));
  });

  it("is a whole budget for the published schedule", () => {
    expect(checkBudget(budget, "preset")).toEqual(budget);
    expect(budget.schedule.maps).toEqual(maps);
  });

  it("keeps 650 tokens a layer after every scale that evicts", () => {
    const sums = budget.capacities.map((row) => row.reduce((sum, tokens) => sum + tokens, 0) / table.layers);
    expect(sums).toEqual([1, 5, 21, 57, 121, 265, 521, 650, 650, 650, 650, 650]);
  });

  it("is what Eq. 4 gives the same roles, within 3 %", () => {
    // The tables give drafters a little less than their room, to make divisions even: at most 58 of 2,521 tokens (8B).
    const ours = allocateScaleKV({ maps, layers: table.layers, budget: 650, roles: budget.roles });
    for (const [scale, row] of budget.capacities.entries()) {
      for (const [layer, tokens] of row.entries()) {
        expect(Math.abs(ours[scale]![layer]! / tokens - 1), `layer ${layer} after scale ${scale}`).toBeLessThan(0.03);
      }
    }
  });
});

describe("the published capacity rule", () => {
  it("gives the sizes that the reference ran the 2B table with", async () => {
    const { scalekv } = await readCase("scalekv-1m-published-2b-budget");
    const { budget, table } = preset("2B");
    expect(cacheSizes(table)).toEqual(scalekv.cache_sizes);
    expect([budget.window, budget.base]).toEqual([scalekv.window_size, scalekv.base_capacity]);
  });

  it("uses element s + 2 of a case's sizes after scale s", async () => {
    const { schedule, scalekv } = await readCase("scalekv-025m");
    const maps = schedule.map(([height, width]) => ({ height, width }));
    const capacities = publishedCapacities(scalekv.cache_sizes, { maps, layers: 4, base: scalekv.base_capacity });
    expect(capacities.slice(0, 4).map(([first]) => first)).toEqual([1, 5, 21, 57]);
    expect(capacities.slice(4)).toEqual(scalekv.cache_sizes.slice(6, 11));
  });
});

it("there are presets for 2B and 8B only", () => {
  expect(PRESETS.map(({ name }) => name)).toEqual(["infinity-2b-10%", "infinity-8b-10%"]);
  expect(presetFor(TRANSFORMER_SIZES.layer12)).toBeUndefined();
});
