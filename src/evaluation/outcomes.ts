/** What a comparison of caches found: one outcome for every contender and prompt, and what they come to. */
import { z } from "zod";
import type { Difference, Proportion } from "./proportion.js";

/** One compressed image beside the full cache's. */
export interface Outcome {
  readonly contender: string;
  /** The prompt's number, from 0. */
  readonly index: number;
  /** In dB; null where the images are equal. */
  readonly psnr: number | null;
  readonly ssim: number;
  /** The most that the cache held, and what the full one holds in the same storage type; one image. */
  readonly cacheBytes: number;
  readonly fullBytes: number;
  /** Tokens a layer on average. */
  readonly tokens: number;
  /** Time of the image's share of its batch. */
  readonly seconds: number;
}

const SCHEMA: z.ZodType<Outcome> = z.strictObject({
  contender: z.string(),
  index: z.int().nonnegative(),
  psnr: z.number().nullable(),
  ssim: z.number(),
  cacheBytes: z.number().nonnegative(),
  fullBytes: z.number().nonnegative(),
  tokens: z.int().positive(),
  seconds: z.number().nonnegative(),
});

/** One line of a record; undefined for anything else, such as a line that was cut off. */
export function parseOutcome(line: string): Outcome | undefined {
  try {
    return SCHEMA.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** The share of prompts that a cache's pictures follow, and that share less the full cache's, prompt by prompt. */
export interface Following extends Proportion, Difference {
  /** The full cache's own. */
  readonly full: Proportion;
}

/** A contender over all its prompts. */
export interface Summary {
  readonly contender: string;
  readonly images: number;
  /** Images equal to the full cache's, which have no PSNR. */
  readonly equal: number;
  /** Mean of the images' dB, and half of its 95 % interval; NaN where all are equal. */
  readonly psnr: number;
  readonly psnrError: number;
  readonly ssim: number;
  /** One image's cache, mean, in bytes, and as a share of the full one. */
  readonly cacheBytes: number;
  readonly share: number;
  readonly tokens: number;
  readonly seconds: number;
  /** Where prompts say what to check, and the model has a checker. */
  readonly following?: Following | undefined;
}

/** The normal distribution's 97.5 % point. */
const NORMAL_97_5 = 1.96;

/** Contenders in the order they first appear. */
export function summarize(outcomes: readonly Outcome[]): Summary[] {
  const names = [...new Set(outcomes.map(({ contender }) => contender))];
  return names.map((name) =>
    summarizeOne(
      name,
      outcomes.filter(({ contender }) => contender === name),
    ),
  );
}

function summarizeOne(contender: string, own: readonly Outcome[]): Summary {
  const decibels = own.flatMap(({ psnr }) => psnr ?? []);
  const psnr = mean(decibels);
  const variance = mean(decibels.map((value) => (value - psnr) ** 2));
  const cacheBytes = mean(own.map((outcome) => outcome.cacheBytes));
  return {
    contender,
    images: own.length,
    equal: own.length - decibels.length,
    psnr,
    psnrError: NORMAL_97_5 * Math.sqrt(variance / Math.max(decibels.length - 1, 1)),
    ssim: mean(own.map(({ ssim }) => ssim)),
    cacheBytes,
    share: cacheBytes / mean(own.map(({ fullBytes }) => fullBytes)),
    tokens: own[0]!.tokens,
    seconds: mean(own.map(({ seconds }) => seconds)),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
