/** The flags of `scalekv sample`, and what `--pair` makes of them. */
import { basename } from "node:path";
import { OptionError } from "../errors.js";
import { variantName } from "../evaluation/contenders.js";
import type { PipelineOptions } from "../generate/types.js";
import type { ModelPlace } from "../sampling/manifest.js";
import type { PromptFormat } from "../sampling/prompt-sets/read.js";
import type { Shard } from "../sampling/task-list.js";
import type { DrawFlags } from "./draw-flags.js";

/** What the command line leaves in commander's hands. */
export interface SampleFlags extends DrawFlags {
  readonly prompts: string;
  readonly out: string;
  readonly format?: PromptFormat;
  readonly limit?: number;
  readonly pair?: true;
  readonly shard?: Shard;
  readonly workers?: number;
  /** Bytes. */
  readonly memory?: number;
  readonly batch?: number;
  /** The address of a queue, whose workers draw. */
  readonly queue?: string;
  readonly json?: true;
}

const UNITS: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Reads `4GiB`, in bytes. */
export function parseMemory(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(KiB|MiB|GiB)$/.exec(text) ?? [];
  if (number !== undefined && Number(number) > 0) return Number(number) * (UNITS[unit] ?? NaN);
  throw new OptionError(`--memory ${text === "" ? '""' : text}: not a size above 0, such as 512MiB or 4GiB`);
}

/** Where the flags say that the model's parts are. */
export function modelPlace({ model: name, vae, textEncoder }: DrawFlags): ModelPlace {
  return { name, vae, textEncoder };
}

/** A run, its folder below `--out`, and how the model is loaded for it. */
export interface FolderRun {
  readonly folder: string;
  readonly options: PipelineOptions;
}

/** The full cache in float32, which is what others are measured against, and the one that the flags describe. */
export function pairedRuns(flags: DrawFlags, options: PipelineOptions): FolderRun[] {
  const { policy = "full", scoring, storage = "fp32", budget } = flags;
  if (policy === "full" && storage === "fp32") {
    throw new OptionError(
      "--pair: needs a --policy with a --budget, or another --storage, to compare the full cache with",
    );
  }
  const parts = [variantName({ policy, scoring } as Parameters<typeof variantName>[0]), ...budgetName(budget)];
  const folder = [...parts, ...(storage === "fp32" ? [] : [storage])].join("-");
  return [
    { folder: "full", options: { ...options, cache: { policy: "full" } } },
    { folder, options },
  ];
}

/** A budget as a part of a folder's name, without signs that shells and file systems take for their own: 10% is 0.1. */
function budgetName(budget: string | undefined): string[] {
  if (budget === undefined) return [];
  const share = /^(.*)%$/.exec(budget)?.[1];
  const name = share === undefined ? basename(budget, ".json") : String(Number((Number(share) / 100).toPrecision(12)));
  return [name.replaceAll(/[^\w.-]/g, "_")];
}
