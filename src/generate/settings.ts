/** One call's options made definite: defaults filled in, one value a scale, every value checked. */
import { OptionError } from "../errors.js";
import type { ModelDefaults } from "../models/catalogue.js";
import { scheduleFor, scheduleForSize, type Schedule } from "../models/infinity/schedule.js";
import type { SamplingLimits } from "./sampling.js";
import type { DrawOptions } from "./types.js";

/** Everything the generation loop needs to know of a call. */
export interface Settings {
  readonly schedule: Schedule;
  /** One value a scale. */
  readonly guidance: readonly number[];
  /** Whether any scale is guided, so that unconditional rows run beside the conditional ones. */
  readonly guided: boolean;
  /** Guide the logits. */
  readonly guideLogits: boolean;
  /** Guide the hidden state after these layers, counted from 0. */
  readonly guideAfter: ReadonlySet<number>;
  /** One value a scale. */
  readonly temperature: readonly number[];
  readonly limits: SamplingLimits;
  /** One seed an image. */
  readonly seeds: readonly number[];
}

/** top_k and top_p of the published sampling scripts. */
const PUBLISHED_LIMITS: SamplingLimits = { topK: 900, topP: 0.97 };

/**
 * Checks and completes the options of a call for `images` images on a model of `depth` layers, a token of which stands
 * for `tokenPixels` pixels along one side.
 */
export function resolveSettings(
  options: DrawOptions,
  defaults: ModelDefaults,
  { images, depth, tokenPixels }: { images: number; depth: number; tokenPixels?: number },
): Settings {
  const schedule = chooseSchedule(options, defaults, tokenPixels);
  const scales = schedule.maps.length;
  const guidance = perScale("guidance", options.guidance ?? defaults.guidance, scales, { low: 0, high: 100 });
  const insertion = options.guidanceLayers ?? [0];
  return {
    schedule,
    guidance,
    guided: guidance.some((value) => value !== 1),
    guideLogits: insertion.includes(0),
    guideAfter: new Set(insertion.filter((value) => value !== 0).map((value) => guidedLayer(value, depth))),
    temperature: perScale("temperature", options.temperature ?? defaults.temperature, scales, { low: 0.01, high: 100 }),
    limits: {
      topK: whole("top-k", options.topK ?? PUBLISHED_LIMITS.topK, { low: 0, high: 2 ** 31 }),
      topP: within("top-p", options.topP ?? PUBLISHED_LIMITS.topP, { low: 0, high: 1 }),
    },
    seeds: perImage(options.seed ?? 0, images),
  };
}

interface Range {
  readonly low: number;
  readonly high: number;
}

function chooseSchedule(
  { size, pixels, ratio }: DrawOptions,
  defaults: ModelDefaults,
  tokenPixels: number | undefined,
): Schedule {
  if (size === undefined) return scheduleFor(pixels ?? defaults.pixels, ratio);
  if (pixels !== undefined || ratio !== undefined)
    throw new OptionError("size: cannot be given together with pixels or ratio");
  return scheduleForSize(size, tokenPixels);
}

/** Insertion layer −1 is the last layer, −depth + 1 the second, as in the published code, where the first is refused. */
function guidedLayer(insertion: number, depth: number): number {
  if (Number.isInteger(insertion) && insertion < 0 && depth + insertion > 0) return depth + insertion;
  throw new OptionError(`guidance layer ${insertion}: must be 0 (the logits) or from ${1 - depth} to -1`);
}

function perScale(name: string, value: number | readonly number[], scales: number, range: Range): number[] {
  const list = typeof value === "number" ? new Array<number>(scales).fill(value) : [...value];
  if (list.length !== scales) {
    throw new OptionError(`${name}: ${list.length} values for ${scales} scales; give one, or one for each scale`);
  }
  return list.map((item) => within(name, item, range));
}

function perImage(seed: number | readonly number[], images: number): number[] {
  const list = typeof seed === "number" ? new Array<number>(images).fill(seed) : [...seed];
  if (list.length !== images) {
    throw new OptionError(`seed: ${list.length} values for ${images} prompts; give one, or one for each prompt`);
  }
  return list.map((item) => whole("seed", item, { low: 0, high: 2 ** 32 - 1 }));
}

function within(name: string, value: number, { low, high }: Range): number {
  if (value >= low && value <= high) return value;
  throw new OptionError(`${name} ${value}: must be from ${low} to ${high}`);
}

function whole(name: string, value: number, range: Range): number {
  if (!Number.isInteger(value)) throw new OptionError(`${name} ${value}: must be a whole number`);
  return within(name, value, range);
}
