/**
 * The published 10 % budgets of Infinity 2B and 8B, square and at `1M`: `budgets/*.json` of
 * github.com/StargazerX0/ScaleKV (MIT licence), as data.
 */
import { WINDOW } from "./allocate.js";
import type { Budget, BudgetModel } from "./budget.js";
import { cacheSizes, publishedCapacities, publishedRoles, type PublishedTable } from "./published.js";

/** Sides of the 13 square maps of `1M`, in tokens. */
const SIDES = [1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64] as const;

/** Tokens a layer on average, 10 % in the paper. */
const BASE = 650;

/** A budget that comes with the package. */
export interface Preset {
  /** The model's published name and the share of the full cache. */
  readonly name: string;
  readonly budget: Budget;
  /** The table it was made of. */
  readonly table: PublishedTable;
}

const TABLE_2B: PublishedTable = {
  layers: 32,
  rows: [
    { scale: 9, max: 920, min: 632, drafters: [0, 23] },
    { scale: 10, max: 1490, min: 594, drafters: [0, 23] },
    { scale: 11, max: 2510, min: 526, drafters: [0, 23] },
    { scale: 12, max: 4100, min: 420, drafters: [0, 23] },
    { scale: 13, max: 6385, min: 465, drafters: [0] },
  ],
};

const TABLE_8B: PublishedTable = {
  layers: 40,
  rows: [
    { scale: 9, max: 909, min: 629, drafters: [0, 1, 2] },
    { scale: 10, max: 1464, min: 584, drafters: [0, 1, 2] },
    { scale: 11, max: 2463, min: 503, drafters: [0, 1, 2] },
    { scale: 12, max: 4054, min: 374, drafters: [0, 1, 2] },
    { scale: 13, max: 6200, min: 200, drafters: [0, 1, 2] },
  ],
};

/** All presets. */
export const PRESETS: readonly Preset[] = [
  preset("infinity-2b-10%", { depth: 32, heads: 16, width: 2048 }, TABLE_2B, "2b_10%_budget.json"),
  preset("infinity-8b-10%", { depth: 40, heads: 28, width: 3584 }, TABLE_8B, "8b_10%_budget.json"),
];

function preset(name: string, model: BudgetModel, table: PublishedTable, source: string): Preset {
  const maps = SIDES.map((side) => ({ height: side, width: side }));
  const budget: Budget = {
    version: 1,
    model,
    schedule: { ratio: 1, pixels: "1M", maps },
    window: WINDOW,
    base: BASE,
    roles: publishedRoles(table, maps.length),
    capacities: publishedCapacities(cacheSizes(table), { maps, layers: table.layers, base: BASE }),
    made: { by: `budgets/${source} of github.com/StargazerX0/ScaleKV`, prompts: null, seed: null },
  };
  return { name, budget, table };
}

/** The published budget of a model of these sizes, if there is one. */
export function presetFor({ depth, heads, width }: BudgetModel): Preset | undefined {
  return PRESETS.find(
    ({ budget: { model } }) => model.depth === depth && model.heads === heads && model.width === width,
  );
}
