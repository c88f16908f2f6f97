/**
 * How many prompts a calibration needs: which pairs of layer and scale become drafters after 1, 10 and 100 prompts, and
 * how many of them are the same. (The paper's Figure 8 finds ten prompts enough.)
 *
 *     node scripts/bench.mjs bench/drafters.ts [PROMPTS [MODEL [BUDGET]]]
 */
import { calibratedBudget, meanStatistics, type AttentionStatistics } from "../src/budget/calibration.js";
import type { Budget } from "../src/budget/budget.js";
import { calibrate } from "../src/generate/calibrate.js";
import { Engine } from "../src/generate/engine.js";
import { resolveModel } from "../src/models/folder.js";
import { readPrompts } from "../src/sampling/prompt-sets/read.js";

const LARGEST = 100;

const [file = "models/stickers/checker/held-out.jsonl", model = "stickers", budget = "10%"] = process.argv.slice(2);
// Spread over the file, whose prompts come category by category.
const all = await readPrompts(file, {});
const prompts = Array.from({ length: LARGEST }, (_, i) => all[Math.floor((i * all.length) / LARGEST)]!);

const engine = await Engine.load(model, {}, resolveModel);
let measured: readonly AttentionStatistics[] = [];
const record = {
  recall: () => Promise.resolve([]),
  keep: (_: unknown, found: readonly AttentionStatistics[]) => Promise.resolve(void (measured = [...found])),
};
const { budget: made } = await calibrate(engine, prompts, { budget, record });
await engine.dispose();

/** Drafters, as layer.scale, by the statistics of some of the prompts. */
function draftersOf(some: readonly AttentionStatistics[]): Set<string> {
  const { roles }: Budget = calibratedBudget(meanStatistics(some), made);
  return new Set(
    roles.flatMap((row, layer) => row.flatMap((role, scale) => (role === "drafter" ? `${layer}.${scale}` : []))),
  );
}

/** Mean over groups of `size` prompts, one after another, of the share of drafters that the other set has too. */
function agreement(size: number, other: ReadonlySet<string>): string {
  const groups = Array.from({ length: Math.floor(LARGEST / size) }, (_, i) => measured.slice(i * size, (i + 1) * size));
  const shares = groups.map((group) => {
    const drafters = draftersOf(group);
    return [...drafters].filter((pair) => other.has(pair)).length / drafters.size;
  });
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  return `${(100 * mean).toFixed(1)} % (least ${(100 * Math.min(...shares)).toFixed(1)} %), ${groups.length} calibrations`;
}

const everyone = draftersOf(measured);
console.log(`${everyone.size} drafters of ${made.roles.flat().filter(Boolean).length} pairs after ${LARGEST} prompts`);
for (const size of [1, 10, 50]) console.log(`after ${String(size).padStart(3)}: ${agreement(size, everyone)}`);
