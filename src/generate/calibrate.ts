/**
 * Calibration: prompts are drawn one after another with the full cache, and how the layers attend to it becomes a
 * budget. The paper (arXiv 2505.19602) finds ten prompts enough.
 */
import { parseAmount, resolveAmount } from "../budget/amount.js";
import type { Budget } from "../budget/budget.js";
import {
  calibratedBudget,
  emptyStatistics,
  meanStatistics,
  type AttentionStatistics,
  type CalibrationSubject,
  type CalibrationTask,
} from "../budget/calibration.js";
import { OBSERVERS, TOP_HISTORY } from "../cache/watching-cache.js";
import { OptionError } from "../errors.js";
import type { DrawOptions, DrawProgress, PipelineOptions } from "./types.js";

/** Options that say how an image is drawn, and nothing of who waits for it. */
export type Drawing = Omit<DrawOptions, "cache" | "signal" | "onProgress" | "onScale">;

/** A loaded model whose attention can be measured: an `Engine`, or one in a worker. */
export interface Probe {
  /** What would be drawn with these options; a bad one is an `OptionError`. */
  subject(drawing: Drawing): CalibrationSubject | Promise<CalibrationSubject>;
  /** Draws a prompt with the full cache and tells how it was read; no image is decoded. */
  measure(prompt: string, options: Omit<DrawOptions, "cache" | "onScale">): Promise<AttentionStatistics>;
  /** Frees the model. */
  dispose(): Promise<void>;
}

/** Loads a model to be measured, as `pipeline` loads one to draw. */
export type OpenProbe = (model: string, options?: PipelineOptions) => Promise<Probe>;

/** Everything that a measurement depends on; two calibrations that agree in it can share measurements. */
export interface CalibrationIdentity extends Omit<CalibrationSubject, "tokenBytes"> {
  /** SHA-256 of the prompts, each followed by a line feed, in hexadecimal. */
  readonly prompts: string;
  readonly drawing: Drawing;
  readonly observers: number;
  readonly topHistory: number;
}

/** Keeps finished measurements, so that a calibration that was stopped can go on. */
export interface CalibrationRecord {
  /** Measurements of the first prompts, of an earlier attempt at the same calibration; none if there was none. */
  recall(identity: CalibrationIdentity): Promise<readonly AttentionStatistics[]>;
  /** Takes all measurements there are so far. */
  keep(identity: CalibrationIdentity, measured: readonly AttentionStatistics[]): Promise<void>;
}

/** How a calibration is made. */
export interface CalibrateOptions {
  /** A share of the full cache (`10%`), tokens a layer (`650`), or memory of one image's float32 cache (`200MiB`). */
  readonly budget: string | number;
  /** How many pairs of layer and scale are drafters. Default: the published share. */
  readonly drafters?: number | undefined;
  readonly drawing?: Drawing | undefined;
  readonly record?: CalibrationRecord | undefined;
  /** Stops between two layers; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Prompt `prompt` of `prompts`, both counted from 1, is at this step. */
  readonly onProgress?: ((event: DrawProgress, prompt: number, prompts: number) => void) | undefined;
}

/** What a calibration gives. */
export interface Calibration {
  readonly budget: Budget;
  /** How many of the prompts an earlier attempt had measured already. */
  readonly recalled: number;
}

/**
 * Measures a model and makes its budget. The same prompts and options give the same budget, in one go or resumed.
 *
 * @throws OptionError for no prompts, and for a budget or drafters that do not fit the model: before anything is drawn
 */
export async function calibrate(
  probe: Probe,
  prompts: readonly string[],
  options: CalibrateOptions,
): Promise<Calibration> {
  if (prompts.length === 0) throw new OptionError("prompts: 0 given, at least 1 is needed");
  const { drawing = {}, record } = options;
  const { tokenBytes, ...subject } = await probe.subject(drawing);
  const { model, schedule } = subject;
  const hash = await sha256(prompts);
  const identity = { ...subject, prompts: hash, drawing, observers: OBSERVERS, topHistory: TOP_HISTORY };
  const task: CalibrationTask = {
    model,
    schedule,
    base: resolveAmount(parseAmount(options.budget), { maps: schedule.maps, bytesPerToken: tokenBytes }),
    drafters: options.drafters,
    made: { by: "scalekv calibrate", prompts: hash, seed: seedOf(drawing) },
  };
  // What cannot be divided like this should not be found out after an hour of drawing.
  calibratedBudget(emptyStatistics(model, schedule.maps.length), task);

  const measured = [...((await record?.recall(identity)) ?? [])];
  const recalled = measured.length;
  for (const [index, prompt] of prompts.entries()) {
    if (index < recalled) continue;
    measured.push(await measureOne(probe, prompt, index + 1, prompts.length, options));
    await record?.keep(identity, measured);
  }
  return { budget: calibratedBudget(meanStatistics(measured), task), recalled };
}

function measureOne(
  probe: Probe,
  prompt: string,
  number: number,
  prompts: number,
  { drawing, signal, onProgress }: CalibrateOptions,
): Promise<AttentionStatistics> {
  signal?.throwIfAborted();
  const tell = onProgress && ((event: DrawProgress): void => onProgress(event, number, prompts));
  return probe.measure(prompt, { ...drawing, signal, onProgress: tell });
}

/** Every prompt is drawn with the same seed. */
function seedOf({ seed = 0 }: Drawing): number {
  if (typeof seed === "number") return seed;
  throw new OptionError(`seed: ${seed.length} values given; a calibration draws all prompts with one`);
}

async function sha256(prompts: readonly string[]): Promise<string> {
  const text = prompts.map((prompt) => `${prompt}\n`).join("");
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
