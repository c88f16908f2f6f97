/** The flags that decide what is drawn and on what: shared by every command that draws. */
import { readFile } from "node:fs/promises";
import { Option, type Command } from "commander";
import { parseBudget, type Budget } from "../budget/budget.js";
import type { ScaleKVScoring } from "../cache/policies/scalekv.js";
import { POLICY_NAMES, type PolicyName } from "../cache/registry.js";
import { STORAGE_TYPES, type StorageType } from "../cache/storage.js";
import { OptionError } from "../errors.js";
import { systemCode } from "../files/system-error.js";
import { WEIGHT_TYPES, type WeightType } from "../graph/model.js";
import {
  PIXEL_CLASSES,
  type DrawOptions,
  type ImageSize,
  type PipelineOptions,
  type PixelClass,
} from "../generate/types.js";
import { WeightsFolder } from "../models/weights-folder.js";
import { parseInteger, parseNumber, parsePerScale, parseSize, type Range } from "./numbers.js";

/** What the flags of {@link addDrawFlags} leave in commander's hands. */
export interface DrawFlags {
  readonly model: string;
  readonly device: "cpu" | "webgpu" | "cuda";
  readonly vae?: string;
  readonly textEncoder?: string;
  readonly threads?: number;
  readonly weights?: WeightType;
  /** Undefined, or false after `--no-weights-cache`. */
  readonly weightsCache?: boolean;
  readonly seed?: number;
  readonly size?: ImageSize;
  readonly pixels?: PixelClass;
  readonly ratio?: number;
  readonly guidance?: number | readonly number[];
  readonly guidanceLayer?: readonly number[];
  readonly temperature?: number | readonly number[];
  readonly topK?: number;
  readonly topP?: number;
  readonly negative?: string;
  readonly positivePrompt?: true;
  readonly policy?: PolicyName;
  readonly budget?: string;
  /** A file, or false for not even the model's own. */
  readonly calibration?: string | false;
  readonly scoring?: ScaleKVScoring;
  readonly storage?: StorageType;
}

/** Seeds are 32-bit keys of the counter-based generator. */
const SEED: Range = { min: 0, max: 2 ** 32 - 1 };
/** Published ratios go from 1:3 to 3:1; far beyond them "nearest" would mislead. */
export const RATIO: Range = { min: 0.125, max: 8 };
const GUIDANCE: Range = { min: 0, max: 100 };
/** Logits are divided by it, so it cannot be 0; `--top-k 1` is the greedy limit. */
const TEMPERATURE: Range = { min: 0.01, max: 100 };
/** The deepest published model has 48 layers. */
const LAYER: Range = { min: -48, max: 0 };
const TOP_K: Range = { min: 0, max: 2 ** 31 - 1 };
const TOP_P: Range = { min: 0, max: 1 };
const THREADS: Range = { min: 1, max: 1024 };

/** Names that `--device` takes. */
const DEVICES = ["cpu", "webgpu", "cuda"] as const;

/** `--device`, as every command that runs a model has it; some run on part of the devices only. */
export function deviceOption(devices: readonly (typeof DEVICES)[number][] = DEVICES): Option {
  return new Option("--device <name>", "where to run").choices(devices).default("cpu");
}

/** Adds the model's and the drawing's flags; `defaultModel` is used where none is named. */
export function addDrawFlags(command: Command, defaultModel: string): Command {
  return addCacheFlags(addImageFlags(command, defaultModel, deviceOption()));
}

/** The same without those of the cache. */
export function addImageFlags(command: Command, defaultModel: string, device: Option): Command {
  return addSamplingFlags(addSizeFlags(addModelFlags(command, defaultModel, device)));
}

function addModelFlags(command: Command, defaultModel: string, device: Option): Command {
  return command
    .option("--model <name|dir>", "a published model's name, or a folder with its files", defaultModel)
    .addOption(device)
    .option("--vae <file>", "the autoencoder, if it is not beside the model")
    .option("--text-encoder <dir>", "the text encoder, if it is not beside the model")
    .option("--threads <n>", "CPU threads (default: one per core)", (text) => parseInteger("--threads", text, THREADS))
    .addOption(
      new Option("--weights <type>", "how the transformer's matrices are held (default: fp32)").choices(WEIGHT_TYPES),
    )
    .option("--no-weights-cache", "make matrices in 8 and 4 bits anew instead of keeping them on disk");
}

function addSizeFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--size <WxH>", "wished size in pixels; the nearest published one is drawn")
        .argParser((text) => parseSize("--size", text))
        .conflicts(["pixels", "ratio"]),
    )
    .addOption(new Option("--pixels <class>", "size class (default: the model's)").choices(PIXEL_CLASSES))
    .option("--ratio <r>", "height / width; the nearest published one is drawn (default: 1)", (text) =>
      parseNumber("--ratio", text, RATIO),
    );
}

/** Defaults are told here and kept by the engine, so that a flag left out is an option left out. */
function addSamplingFlags(command: Command): Command {
  return command
    .option("--seed <n>", "the same seed gives the same image (default: 0)", (text) =>
      parseInteger("--seed", text, SEED),
    )
    .option(
      "--guidance <g,...>",
      "strength of the prompt, 1 is off; one, or one a scale (default: the model's)",
      (text) => parsePerScale("--guidance", text, GUIDANCE),
    )
    .option("--guidance-layer <i,...>", "0: on the logits, -1: after the last layer, ... (default: 0)", (text) =>
      parseLayers("--guidance-layer", text),
    )
    .option("--temperature <t,...>", "divides the logits; one, or one a scale (default: the model's)", (text) =>
      parsePerScale("--temperature", text, TEMPERATURE),
    )
    .option("--top-k <n>", "1 draws the likeliest bits, other values are no limit (default: 900)", (text) =>
      parseInteger("--top-k", text, TOP_K),
    )
    .option("--top-p <p>", "drops bits no likelier than 1 - p, 1 is off (default: 0.97)", (text) =>
      parseNumber("--top-p", text, TOP_P),
    )
    .option("--negative <text>", "what the image should not show")
    .option("--positive-prompt", "append the published words about faces to prompts that name a person");
}

export function addCacheFlags(command: Command): Command {
  return command
    .addOption(new Option("--policy <name>", "what stays in the KV cache (default: full)").choices(POLICY_NAMES))
    .option(
      "--budget <amount>",
      "how much stays: 10%, 650 (tokens a layer), 200MiB after each scale, or a budget file (.json)",
    )
    .option(
      "--calibration <file>",
      "a budget file whose statistics are used, where --budget is an amount (default: what lies beside the model, as infinity.calibration.json beside infinity.pth)",
    )
    .option("--no-calibration", "use none, not even what lies beside the model")
    .addOption(
      new Option("--scoring <rule>", "ScaleKV's: the published code's or the paper's (default: paper)").choices([
        "reference",
        "paper",
      ]),
    )
    .addOption(new Option("--storage <type>", "how the cache is stored (default: fp32)").choices(STORAGE_TYPES));
}

function parseLayers(flag: string, text: string): readonly number[] {
  return text.split(",").map((part) => parseInteger(flag, part, LAYER));
}

/** The loading half of the flags; reads the budget's file, if it is one, and the calibration's. */
export async function pipelineOptions(flags: DrawFlags): Promise<PipelineOptions> {
  const { device, vae, textEncoder, threads, weights, policy, budget, calibration, scoring, storage } = flags;
  const asked = [policy, budget, calibration, scoring, storage].some((flag) => flag !== undefined);
  const weightsCache = flags.weightsCache === false ? false : undefined;
  const parts = { device, vae, textEncoder, threads, weights, weightsCache };
  if (!asked) return parts;
  const cache = {
    policy,
    budget: budget?.endsWith(".json") ? await readBudgetFile("--budget", budget) : budget,
    calibration: await readCalibration(calibration),
    scoring,
    storage,
  };
  return { ...parts, cache };
}

/** Refuses a place or a limit for kept weights that cannot be, where they would be kept. @throws OptionError */
export async function checkWeightsCache({ weights = "fp32", weightsCache }: DrawFlags): Promise<void> {
  if (weightsCache === false || weights === "fp32" || weights === "fp16") return;
  await new WeightsFolder().check();
}

/** What `--calibration` and `--no-calibration` say, as the library takes it. */
export async function readCalibration(flag: DrawFlags["calibration"]): Promise<Budget | null | undefined> {
  if (flag === undefined) return undefined;
  return flag === false ? null : readBudgetFile("--calibration", flag);
}

/** Reads a budget file named by a flag. @throws OptionError or BudgetError with one line */
export async function readBudgetFile(flag: string, path: string): Promise<Budget> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new OptionError(`${flag} ${path}: cannot be read (${systemCode(error)})`);
  }
  return parseBudget(text, path);
}

/** The drawing half of the flags. */
export function drawOptions({ guidanceLayer, ...flags }: DrawFlags): DrawOptions {
  const { seed, size, pixels, ratio, guidance, temperature, topK, topP, negative, positivePrompt } = flags;
  const sampling = { guidance, guidanceLayers: guidanceLayer, temperature, topK, topP };
  return { seed, size, pixels, ratio, ...sampling, negative, positivePrompt };
}
