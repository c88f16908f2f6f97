/**
 * What ScaleKV's parts are worth: its measure for drafters, how many there are, the refiners' decay, the number of prompts of
 * a calibration. One of them is changed at a time; PSNR is against the full cache, and differences are of the same prompts.
 *
 *     node scripts/bench.mjs bench/ablations.ts [BUDGET [PROMPTS [MODEL [CALIBRATION_PROMPTS]]]]
 */
import { allocateScaleKV, publishedDecay, type RefinerDecay } from "../src/budget/allocate.js";
import type { Budget } from "../src/budget/budget.js";
import { calibratedBudget, meanStatistics, type AttentionStatistics } from "../src/budget/calibration.js";
import { assignRoles, attentionSelectivity, zScores, type Roles, type Scores } from "../src/budget/selectivity.js";
import { calibrate } from "../src/generate/calibrate.js";
import { Engine } from "../src/generate/engine.js";
import type { CacheOptions } from "../src/generate/types.js";
import { psnr } from "../src/metrics/psnr.js";
import { resolveModel } from "../src/models/folder.js";
import { readPrompts } from "../src/sampling/prompt-sets/read.js";

const BATCH = 8;
const SHUFFLES = 3;

const [amount = "10%", count = "96", model = "stickers", file = "examples/stickers-calibration.txt"] =
  process.argv.slice(2);

/** So many lines spread over a file, whose prompts come category by category. */
async function spread(path: string, most: number): Promise<string[]> {
  const all = await readPrompts(path, {});
  const some = Math.min(most, all.length);
  return Array.from({ length: some }, (_, i) => all[Math.floor((i * all.length) / some)]!);
}

const engine = await Engine.load(model, {}, resolveModel);
let measured: readonly AttentionStatistics[] = [];
const { budget: made } = await calibrate(engine, await spread(file, 100), {
  budget: amount,
  record: { recall: () => Promise.resolve([]), keep: (_, found) => Promise.resolve(void (measured = [...found])) },
});
const { maps } = made.schedule;
const firstScale = made.roles[0]!.findIndex((role) => role !== null);
const drafters = made.roles.flat().filter((role) => role === "drafter").length;
const pairs = made.roles.flat().filter((role) => role !== null).length;

/** ScaleKV's budget with roles and a decay of one's own. */
function withRoles(roles: Roles, decay: RefinerDecay = publishedDecay(made.base)): Budget {
  return {
    ...made,
    roles,
    capacities: allocateScaleKV({ maps, layers: roles.length, budget: made.base, roles }, decay),
  };
}

function byScores(scores: Scores, number = drafters): Budget {
  return withRoles(assignRoles(zScores(scores), { drafters: number, firstScale }));
}

const statistics = meanStatistics(measured);
const historyless = (table: readonly (readonly number[])[]): Scores =>
  table.map((row) => row.map((value, scale) => (scale === 0 ? null : value)));
const negative = (scores: Scores): Scores => scores.map((row) => row.map((value) => (value === null ? null : -value)));

/** Numbers that look random and are the same in every run (Park and Miller's generator). */
function shuffled(seed: number): Scores {
  let state = seed;
  const next = (): number => (state = (state * 48271) % 2147483647);
  return made.roles.map((row) => row.map((_, scale) => (scale === 0 ? null : next())));
}

const asi = attentionSelectivity(statistics);
const decay = publishedDecay(made.base);
const variants: readonly (readonly [name: string, cache: CacheOptions])[] = [
  ["as published", scalekv(made)],
  ["drafters by the current map's share alone", scalekv(byScores(historyless(statistics.current)))],
  ["drafters by the history's top share alone", scalekv(byScores(historyless(statistics.history)))],
  ["drafters by chance", scalekv(byScores(shuffled(1)))],
  ...Array.from({ length: SHUFFLES - 1 }, (_, i) => ["again", scalekv(byScores(shuffled(i + 2)))] as const),
  ["drafters of highest selectivity", scalekv(byScores(negative(asi)))],
  ...[0, 2, 4].map((times) => [`${times * drafters} drafters`, scalekv(byScores(asi, times * drafters))] as const),
  ["no decay", scalekv(withRoles(made.roles, { ...decay, decay: 0 }))],
  ["half the decay", scalekv(withRoles(made.roles, { ...decay, decay: decay.decay / 2 }))],
  [
    "decay to 200 of 650, as in the tables",
    scalekv(withRoles(made.roles, { ...decay, least: (200 / 650) * made.base })),
  ],
  ["decay to the window", scalekv(withRoles(made.roles, { ...decay, least: 0 }))],
  ["calibrated with 1 prompt", scalekv(calibratedBudget(measured[0]!, made))],
  ["calibrated with 10 prompts", scalekv(calibratedBudget(meanStatistics(measured.slice(0, 10)), made))],
  ["uniform, no roles (snapkv)", { policy: "snapkv", budget: made.base }],
];

function scalekv(budget: Budget): CacheOptions {
  return { policy: "scalekv", budget };
}

const prompts = await spread("models/stickers/checker/held-out.jsonl", Number(count));
const decibels = variants.map((): number[] => []);
for (let start = 0; start < prompts.length; start += BATCH) {
  const batch = prompts.slice(start, start + BATCH);
  const seed = batch.map((_, i) => start + i + 1);
  const full = await engine.draw(batch, { seed, cache: { policy: "full" } });
  for (const [v, [, cache]] of variants.entries()) {
    const { images } = await engine.draw(batch, { seed, cache });
    decibels[v]!.push(...images.map((image, i) => psnr(image, full.images[i]!)));
  }
}
await engine.dispose();

console.log(`${drafters} drafters of ${pairs} pairs, ${made.base} tokens a layer, ${prompts.length} prompts`);
for (const [v, [name]] of variants.entries()) {
  const less = decibels[v]!.map((value, i) => value - decibels[0]![i]!);
  console.log(
    [name.padEnd(42), mean(decibels[v]!).toFixed(2), `${mean(less).toFixed(2)} ± ${error(less).toFixed(2)}`].join("  "),
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Half of the mean's 95 % interval. */
function error(values: readonly number[]): number {
  const middle = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
  return 1.96 * Math.sqrt(variance / values.length);
}
