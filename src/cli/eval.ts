/** `scalekv eval cache`: cache policies side by side on many prompts, measured against the full cache. */
import { Command } from "commander";
import { parseAmount } from "../budget/amount.js";
import { POLICY_NAMES, isHeadwise, type PolicyName } from "../cache/registry.js";
import { STORAGE_TYPES, type StorageType } from "../cache/storage.js";
import { OptionError } from "../errors.js";
import { compareCaches } from "../evaluation/cache-comparison.js";
import { contendersOf, type Contender, type PolicyVariant } from "../evaluation/contenders.js";
import { summarize } from "../evaluation/outcomes.js";
import { plotSvg } from "../evaluation/plot.js";
import type { Pipeline } from "../generate/types.js";
import { DEFAULT_MODEL } from "../models/catalogue.js";
import { addImageFlags, deviceOption, drawOptions, readBudgetFile, type DrawFlags } from "./draw-flags.js";
import { EvaluationFolder } from "./evaluation-folder.js";
import { formatSummaries, markdownSummaries } from "./evaluation-report.js";
import { interruptible } from "./interrupt.js";
import { parseInteger } from "./numbers.js";
import { StatusLine } from "./progress.js";
import { readPrompts } from "./prompts-file.js";

interface EvalFlags extends DrawFlags {
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

const loadEngine = async (): Promise<Pipeline> => (await import("../generate/pipeline.js")).pipeline;

/** The command; `load` brings the engine (tests bring their own). */
export function evalCommand(load: () => Promise<Pipeline> = loadEngine): Command {
  const cache = new Command("cache")
    .description("Draw many prompts under many cache policies and measure them against the full cache.")
    .requiredOption("--prompts <file>", "a text file, one prompt a line; the seeds are --seed and those after it")
    .requiredOption(
      "--out <dir>",
      "images, outcomes.jsonl, table.md and plot.svg; what is there already is not drawn again",
    )
    .option(
      "--policies <name,...>",
      "scalekv-reference is scalekv with --scoring reference",
      parsePolicies,
      parsePolicies(DEFAULT_POLICIES),
    )
    .option("--budgets <amount,...>", "as --budget of generate", parseBudgets, parseBudgets("20%,10%,4%,1%"))
    .option("--storages <type,...>", "fp32, fp16 or int8", parseStorages, ["fp32"])
    .option("--calibration <file>", "a budget file whose statistics are used; policies by head need one")
    .option("--limit <n>", "only the first prompts", (text) => parseInteger("--limit", text, { min: 1, max: 2 ** 20 }))
    .option("--batch <n>", "images drawn at once", (text) => parseInteger("--batch", text, { min: 1, max: 1024 }), 4)
    .option("--json", "print the summary as JSON");
  addImageFlags(cache, DEFAULT_MODEL, deviceOption()).action((flags: EvalFlags) => evaluateCaches(flags, load));
  return new Command("eval").description("Measure a model and its cache on many prompts.").addCommand(cache);
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

async function evaluateCaches(flags: EvalFlags, load: () => Promise<Pipeline>): Promise<void> {
  const {
    out,
    limit,
    batch,
    json,
    model,
    device,
    vae,
    textEncoder,
    threads,
    weights,
    policies,
    calibration: file,
  } = flags;
  const prompts = (await readPrompts(flags.prompts)).slice(0, limit);
  const calibration = file === undefined ? undefined : await readBudgetFile("--calibration", file);
  const byHead = policies.find(isHeadwise);
  if (byHead && !calibration?.segments) throw new OptionError(`--policies ${byHead.policy}: needs --calibration`);
  const contenders = contendersOf(policies, flags.budgets, flags.storages);
  const { seed, ...drawing } = drawOptions(flags);
  if (seed !== undefined && typeof seed !== "number")
    throw new OptionError("--seed: one number, the first prompt's seed");
  const settings = { model, weights, prompts, seed: seed ?? 0, drawing, calibration: calibration?.made };
  const store = await EvaluationFolder.open(out, settings);
  const status = new StatusLine(process.stderr);
  await interruptible(async (signal) => {
    try {
      await compareCaches(await load(), {
        ...{ model, contenders, prompts, batch, seed: seed ?? 0, drawing, calibration, store, signal },
        options: { device, vae, textEncoder, threads, weights },
        onImage: (done, total) => status.update(done / total, `image ${done} of ${total}`),
      });
    } finally {
      status.clear();
    }
  });
  const names = new Set(contenders.map(({ name }) => name));
  const summaries = summarize(
    store.outcomes.filter(({ contender, index }) => names.has(contender) && index < prompts.length),
  );
  await store.writeText("table.md", markdownSummaries(summaries));
  await store.writeText("plot.svg", plotSvg(contenders, summaries));
  process.stdout.write(json ? `${JSON.stringify(summaries, null, 2)}\n` : formatSummaries(summaries));
}
