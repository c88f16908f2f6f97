/** A generation counted by formula: what every part of every stage has to do. */
import type { Plan } from "../cache/policy.js";
import { fineTokens, type StorageType } from "../cache/storage.js";
import type { WeightType } from "../graph/model.js";
import type { VaeConfig } from "../models/bsq-vae/config.js";
import type { InfinityConfig } from "../models/infinity/config.js";
import { mapTokens, type ScaleSize } from "../models/infinity/schedule.js";
import type { T5Config } from "../models/t5/config.js";
import { cacheWork } from "./cache-work.js";
import { decoderWork, textEncoderWork } from "./parts-work.js";
import { codesWork, conditioningWork, embeddingWork, headWork, layerWork, samplingWork } from "./transformer-work.js";
import { times, type Work } from "./work.js";

/** A call of the pipeline, as far as its work depends on it. */
export interface CountedRun {
  readonly infinity: InfinityConfig;
  readonly vae: VaeConfig;
  readonly t5: T5Config;
  readonly maps: readonly ScaleSize[];
  /** Tokens of every image's text. */
  readonly texts: readonly number[];
  /** Tokens of the text to steer away from; undefined where the learned one stands in. */
  readonly negative: number | undefined;
  /** Every image has an unconditional row. */
  readonly guided: boolean;
  readonly plan: Plan;
  readonly weights: WeightType;
  readonly storage: StorageType;
  /** The layers take tokens that stand for several. */
  readonly merging: boolean;
}

/** The work of one stage, by part. */
export interface StageWork {
  /** As in the report: `text`, `scale 1`, …, `vae`. */
  readonly name: string;
  readonly parts: Readonly<Record<string, Work>>;
}

/** Counts all stages, in the order they run. */
export function countRun(run: CountedRun): StageWork[] {
  const { t5, vae, texts, negative, guided, maps } = run;
  const read = negative === undefined || !guided ? texts : [...texts, negative];
  const last = maps.at(-1)!;
  const side = run.infinity.patchify ? 2 : 1;
  const pixels = { height: side * last.height, width: side * last.width };
  return [
    { name: "text", parts: { "text encoder": textEncoderWork(t5, read) } },
    ...maps.map((_, scale) => ({ name: `scale ${scale + 1}`, parts: scaleParts(run, scale) })),
    { name: "vae", parts: { vae: decoderWork(vae, pixels, texts.length) } },
  ];
}

function scaleParts(run: CountedRun, scale: number): Record<string, Work> {
  const { infinity, maps, texts, guided, plan, weights, storage, merging } = run;
  const images = texts.length;
  const rows = guided ? 2 * images : images;
  const tokens = mapTokens(maps[scale]!);
  const lengths = plan.lengths[scale - 1] ?? [0];
  const [past, fine] = [mean(lengths), mean(lengths.map(fineTokens))];
  const text = mean(rowTexts(run));
  const layer = layerWork(infinity, { rows, tokens, past, fine, text, weights, storage, merging });
  const cache = { plan, rows, storage, merging };
  const summed = images * infinity.bits * mapTokens(maps.at(-1)!);
  const layers = Object.entries(layer).map(([part, work]) => [part, times(infinity.depth, work)] as const);
  return {
    ...(scale === 0
      ? { conditioning: conditioning(run) }
      : { embedding: embeddingWork(infinity, rows, tokens, summed) }),
    ...Object.fromEntries(layers),
    ...(scale < maps.length - 1 ? { cache: cacheWork(infinity, cache, scale) } : {}),
    head: headWork(infinity, rows, tokens),
    sampling: samplingWork(infinity, rows, images, tokens),
    codes: codesWork(summed),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Tokens of the text that each row reads; the learned unconditional one is as long as the text beside it. */
function rowTexts({ texts, negative, guided }: CountedRun): readonly number[] {
  return guided ? [...texts, ...texts.map((length) => negative ?? length)] : texts;
}

/** Every text by itself; the learned unconditional one once for each length. */
function conditioning(run: CountedRun): Work {
  const { infinity, texts, negative, weights } = run;
  const avoided = rowTexts(run).slice(texts.length);
  const all = [...texts, ...(negative === undefined ? new Set(avoided) : avoided)];
  return conditioningWork(infinity, weights, all);
}
