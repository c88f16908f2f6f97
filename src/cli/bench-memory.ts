/** `scalekv bench memory`: what the KV cache of a model takes, by formula. */
import { Command, Option } from "commander";
import { shareInTokens } from "../budget/amount.js";
import { historyTokens } from "../budget/maps.js";
import { CACHE_LAYOUTS, cacheBytes, FINE_TOKENS } from "../budget/memory.js";
import { OptionError } from "../errors.js";
import { PUBLISHED_MODELS, TRANSFORMER_SIZES, publishedModel } from "../models/catalogue.js";
import {
  PIXEL_CLASSES,
  scheduleFor,
  totalTokens,
  type PixelClass,
  type Schedule,
} from "../models/infinity/schedule.js";
import { RATIO } from "./draw-flags.js";
import { parseInteger, parseNumber } from "./numbers.js";
import { mebibytes, table } from "./table.js";

interface MemoryFlags {
  readonly model: string;
  readonly batch: readonly number[];
  readonly pixels?: PixelClass;
  readonly ratio: number;
  readonly json?: true;
}

type Sizes = (typeof TRANSFORMER_SIZES)[keyof typeof TRANSFORMER_SIZES];
type LayoutName = keyof typeof CACHE_LAYOUTS;

const LAYOUTS: readonly LayoutName[] = ["published", "fp32", "fp16", "int8"];

/** Shares of the full cache, as in the paper's Table 3. */
const SHARES = [1, 0.2, 0.1, 0.04] as const;

/** Guidance runs every image as two rows: with the prompt and without. */
const ROWS_PER_IMAGE = 2;

/** Everything `bench memory` prints. */
interface MemoryReport {
  readonly model: { readonly name: string; readonly depth: number; readonly width: number; readonly heads: number };
  readonly schedule: Pick<Schedule, "pixels" | "ratio" | "maps">;
  /** Tokens a layer of the full cache, and with the last scale, which the published code appends, too. */
  readonly tokens: { readonly history: number; readonly withLastScale: number };
  readonly rows: readonly MemoryRow[];
}

interface MemoryRow {
  readonly batch: number;
  /** Of the full cache, 0 to 1. */
  readonly share: number;
  /** A layer, on average. */
  readonly tokens: number;
  readonly bytes: Readonly<Record<LayoutName, number>>;
}

/** The command; it needs no weights. */
export function memoryCommand(): Command {
  return new Command("memory")
    .description("Print what a model's KV cache takes, full and compressed; no weights are needed.")
    .requiredOption("--model <name>", `one of ${modelNames()}`)
    .addOption(
      new Option("--batch <n,...>", "images drawn at once, each with guidance")
        .argParser(parseBatches)
        .default([1, 8, 16], "1,8,16"),
    )
    .addOption(new Option("--pixels <class>", "size class (default: the model's)").choices(PIXEL_CLASSES))
    .option(
      "--ratio <r>",
      "height / width; the nearest published one counts",
      (text) => parseNumber("--ratio", text, RATIO),
      1,
    )
    .option("--json", "print bytes as JSON")
    .action((flags: MemoryFlags) => {
      const report = memoryReport(flags);
      process.stdout.write(`${flags.json ? JSON.stringify(report) : formatMemory(report)}\n`);
    });
}

function parseBatches(text: string): readonly number[] {
  return text.split(",").map((part) => parseInteger("--batch", part, { min: 1, max: 4096 }));
}

function modelNames(): string {
  return [...PUBLISHED_MODELS.map(({ name }) => name), ...Object.keys(TRANSFORMER_SIZES)].join(", ");
}

/** A published model's sizes, or those that the published code names without a model. */
function sizesOf(name: string): Sizes {
  const sizes = new Map<string, Sizes>(Object.entries(TRANSFORMER_SIZES)).get(publishedModel(name)?.sizes ?? name);
  if (!sizes) throw new OptionError(`--model ${name}: not one of ${modelNames()}`);
  return sizes;
}

function memoryReport({ model: name, batch: batches, pixels, ratio }: MemoryFlags): MemoryReport {
  const sizes = sizesOf(name);
  const schedule = scheduleFor(pixels ?? publishedModel(name)?.defaults.pixels ?? "1M", ratio);
  const history = historyTokens(schedule.maps);
  return {
    model: { name, ...sizes },
    schedule: { pixels: schedule.pixels, ratio: schedule.ratio, maps: schedule.maps },
    tokens: { history, withLastScale: totalTokens(schedule) },
    rows: batches.flatMap((batch) => SHARES.map((share) => memoryRow(sizes, batch, share, history))),
  };
}

function memoryRow(sizes: Sizes, batch: number, share: number, history: number): MemoryRow {
  const tokens = shareInTokens(share, history);
  const owner = { ...sizes, rows: ROWS_PER_IMAGE * batch };
  const bytes = (layout: LayoutName): number => cacheBytes(owner, tokens, CACHE_LAYOUTS[layout]);
  const all = { published: bytes("published"), fp32: bytes("fp32"), fp16: bytes("fp16"), int8: bytes("int8") };
  return { batch, share, tokens, bytes: all };
}

function formatMemory({ model, schedule, tokens, rows }: MemoryReport): string {
  const { name, depth, width, heads } = model;
  const header = ["batch", "budget", "tokens", ...LAYOUTS];
  const lines = rows.map(({ batch, share, tokens: kept, bytes }) => [
    String(batch),
    `${100 * share}%`,
    String(kept),
    ...LAYOUTS.map((layout) => mebibytes(bytes[layout])),
  ]);
  return [
    `${name}: ${depth} layers, width ${width}, ${heads} heads; ${schedule.pixels} at ratio ${schedule.ratio}`,
    "MiB of keys and values, two rows an image (guidance)",
    "",
    table(
      [header, ...lines],
      header.map(() => "right"),
    ),
    "",
    `tokens     a layer keeps on average; all earlier scales have ${tokens.history}, with the last one ${tokens.withLastScale}`,
    `published  fp32 keys and bf16 values, as the paper counts; nothing of the last scale`,
    `int8       with an fp32 scale for every row, head and token, and a second byte for the first ${FINE_TOKENS} tokens of a layer`,
  ].join("\n");
}
