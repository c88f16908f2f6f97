/** `scalekv eval cache`: cache policies side by side on many prompts, measured against the full cache. */
import { Command } from "commander";
import { parseAmount } from "../budget/amount.js";
import { POLICY_NAMES, isHeadwise, type PolicyName } from "../cache/registry.js";
import { STORAGE_TYPES, type StorageType } from "../cache/storage.js";
import { OptionError } from "../errors.js";
import { compareCaches, REFERENCE } from "../evaluation/cache-comparison.js";
import { contendersOf, type Contender, type PolicyVariant } from "../evaluation/contenders.js";
import { addFollowing } from "../evaluation/following.js";
import { summarize, type Summary } from "../evaluation/outcomes.js";
import { DECIBELS, FOLLOWED, plotSvg } from "../evaluation/plot.js";
import type { Pipeline } from "../generate/types.js";
import { DEFAULT_MODEL } from "../models/catalogue.js";
import { readPrompts } from "../sampling/prompt-sets/read.js";
import {
  addImageFlags,
  checkWeightsCache,
  deviceOption,
  drawOptions,
  readCalibration,
  type DrawFlags,
} from "./draw-flags.js";
import { calibrationHash, lookAtModel, settleCache } from "./evaluated-model.js";
import { EvaluationFolder } from "./evaluation-folder.js";
import { formatSummaries, markdownSummaries } from "./evaluation-report.js";
import { interruptible } from "./interrupt.js";
import { findPromptCheck, type PromptCheck } from "./model-checker.js";
import { parseInteger } from "./numbers.js";
import { StatusLine } from "./progress.js";

interface EvalCacheFlags extends DrawFlags {
  readonly out: string;
  readonly prompts: string;
  readonly policies: readonly PolicyVariant[];
  readonly budgets: readonly string[];
  readonly storages: readonly StorageType[];
  readonly limit?: number;
  readonly batch: number;
  readonly json?: true;
}

/** Those that need no calibration. */
const DEFAULT_POLICIES = POLICY_NAMES.filter((policy) => policy !== "full" && !isHeadwise({ policy })).join(",");

/** The command; `load` brings the engine. */
export function evalCacheCommand(load: () => Promise<Pipeline>): Command {
  const command = new Command("cache")
    .description("Draw many prompts under many cache policies and measure them against the full cache.")
    .requiredOption(
      "--prompts <file>",
      "text, one prompt a line, or another prompt set; the seeds are --seed and those after it. Where the file says what " +
        "pictures should show, they are checked",
    )
    .requiredOption(
      "--out <dir>",
      "images, outcomes.jsonl, table.md, plot.svg and following.svg; what is there already is not drawn again",
    )
    .option(
      "--policies <name,...>",
      "scalekv-reference is scalekv with --scoring reference",
      parsePolicies,
      parsePolicies(DEFAULT_POLICIES),
    )
    .option(
      "--budgets <amount,...>",
      "as --budget of generate, but no files",
      parseBudgets,
      parseBudgets("20%,10%,4%,1%"),
    )
    .option("--storages <type,...>", "fp32, fp16 or int8", parseStorages, ["fp32"])
    .option("--calibration <file>", "a budget file whose statistics are used, instead of what lies beside the model")
    .option("--no-calibration", "use none, not even what lies beside the model")
    .option("--limit <n>", "only the first prompts", (text) => parseInteger("--limit", text, { min: 1, max: 2 ** 20 }))
    .option("--batch <n>", "images drawn at once", (text) => parseInteger("--batch", text, { min: 1, max: 1024 }), 4)
    .option("--json", "print the summary as JSON");
  return addImageFlags(command, DEFAULT_MODEL, deviceOption()).action((flags: EvalCacheFlags) =>
    evaluateCaches(flags, load),
  );
}

function parsePolicies(text: string): PolicyVariant[] {
  return text.split(",").map((name) => {
    if (name === "scalekv-reference") return { policy: "scalekv", scoring: "reference" };
    if (name === "full" || !POLICY_NAMES.includes(name as PolicyName)) {
      const names = [...POLICY_NAMES.filter((policy) => policy !== "full"), "scalekv-reference"];
      throw new OptionError(`--policies ${name}: not one of ${names.join(", ")}`);
    }
    return { policy: name as Contender["policy"] };
  });
}

function parseBudgets(text: string): string[] {
  const budgets = text.split(",");
  budgets.forEach(parseAmount);
  return budgets;
}

function parseStorages(text: string): StorageType[] {
  return text.split(",").map((name) => {
    const found = STORAGE_TYPES.find((type) => type === name);
    if (!found) throw new OptionError(`--storages ${name}: not one of ${STORAGE_TYPES.join(", ")}`);
    return found;
  });
}

async function evaluateCaches(flags: EvalCacheFlags, load: () => Promise<Pipeline>): Promise<void> {
  const { out, limit, json, model, weights, policies } = flags;
  await checkWeightsCache(flags);
  const prompts = await readPrompts(flags.prompts, { limit });
  const calibration = await readCalibration(flags.calibration);
  const { seed = 0, ...drawing } = drawOptions(flags);
  if (typeof seed !== "number") throw new OptionError("--seed: one number, the first prompt's seed");
  const check = await findPromptCheck(model, flags.prompts);
  const seen = await lookAtModel(model, flags, (files) =>
    contendersOf(policies, flags.budgets, flags.storages).map((one) => ({
      ...one,
      ...settleCache({ ...one, calibration }, files, drawing),
    })),
  );
  const { fingerprint, caches: contenders } = seen;
  const settings = {
    ...{ model, fingerprint, weights, prompts, seed, drawing },
    calibration: calibration === undefined ? seen.calibration : calibrationHash(calibration),
  };
  const store = await EvaluationFolder.open(out, settings);
  const summaries = await withStatus(async (signal, status) => {
    const { batch, device, vae, textEncoder, threads, weightsCache } = flags;
    await compareCaches(await load(), {
      ...{ model, contenders, prompts, batch, seed, drawing, calibration, store, signal },
      options: { device, vae, textEncoder, threads, weights, weightsCache },
      onImage: (done, total) => status.update(done / total, `image ${done} of ${total}`),
    });
    const names = new Set(contenders.map(({ name }) => name));
    const own = store.outcomes.filter(({ contender, index }) => names.has(contender) && index < prompts.length);
    return withFollowing(summarize(own), check, prompts.length, { store, signal, status });
  });
  // Files that cannot be written shall not cost what was measured.
  process.stdout.write(json ? `${JSON.stringify(summaries, null, 2)}\n` : formatSummaries(summaries));
  await store.writeText("table.md", markdownSummaries(summaries));
  await store.writeText("plot.svg", plotSvg(contenders, summaries, DECIBELS));
  if (check) await store.writeText("following.svg", plotSvg(contenders, summaries, FOLLOWED));
}

/** Runs what can be interrupted and tells how far it is. */
async function withStatus<T>(work: (signal: AbortSignal, status: StatusLine) => Promise<T>): Promise<T> {
  const status = new StatusLine(process.stderr);
  return interruptible(async (signal) => {
    try {
      return await work(signal, status);
    } finally {
      status.clear();
    }
  });
}

/** The summaries with the shares of prompts that are followed, where the pictures can be checked. */
async function withFollowing(
  summaries: readonly Summary[],
  check: PromptCheck | undefined,
  prompts: number,
  { store, signal, status }: { store: EvaluationFolder; signal: AbortSignal; status: StatusLine },
): Promise<readonly Summary[]> {
  if (!check) return summaries;
  const { checker, asked } = check;
  return addFollowing(summaries, {
    ...{ checker, asked: asked.slice(0, prompts), store, reference: REFERENCE, signal },
    onImage: (done, total) => status.update(done / total, `checking image ${done} of ${total}`),
  });
}
