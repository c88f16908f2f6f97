/**
 * The comparison of caches: every prompt is drawn with the full cache in float32, then by every contender with the same
 * seed, and each image is measured against the full cache's. This is the form of the ScaleKV paper's Table 1.
 */
import type { Budget } from "../budget/budget.js";
import { isHeadwise } from "../cache/registry.js";
import type { StorageType } from "../cache/storage.js";
import type { CacheOptions, Draw, DrawnImage, DrawOptions, Pipeline, PipelineOptions } from "../generate/types.js";
import type { RgbImage } from "../metrics/image.js";
import { psnr } from "../metrics/psnr.js";
import { ssim } from "../metrics/ssim.js";
import type { Contender } from "./contenders.js";
import type { Outcome } from "./outcomes.js";

/** The name under which the full cache's images are kept. */
export const REFERENCE = "full";

/** Where images go, and what an earlier attempt has left. */
export interface EvaluationStore {
  /** The outcomes there are already. */
  readonly outcomes: readonly Outcome[];
  /** Keeps an image of a contender, or of {@link REFERENCE}. */
  keepImage(contender: string, index: number, image: RgbImage): Promise<void>;
  /** The full cache's image, if it is there. */
  reference(index: number): Promise<RgbImage | undefined>;
  /** Keeps outcomes whose images are kept. */
  keepOutcomes(outcomes: readonly Outcome[]): Promise<void>;
}

/** What is compared. */
export interface ComparisonTask {
  readonly model: string;
  readonly contenders: readonly Contender[];
  readonly prompts: readonly string[];
  /** Images drawn at once; a seed gives the same image in any batch. */
  readonly batch: number;
  /** The first prompt's seed; every further one has the next. */
  readonly seed: number;
  readonly drawing: Omit<DrawOptions, "seed" | "cache" | "signal" | "onProgress" | "onScale">;
  /** What is known of the model's heads and layers; contenders by head need it. */
  readonly calibration?: Budget | undefined;
  readonly options: Omit<PipelineOptions, "cache">;
  readonly store: EvaluationStore;
  readonly signal?: AbortSignal | undefined;
  /** `done` of `total` images are drawn. */
  readonly onImage?: ((done: number, total: number) => void) | undefined;
}

/** Draws and measures what is not there yet. The store has all outcomes then. */
export async function compareCaches(pipeline: Pipeline, task: ComparisonTask): Promise<void> {
  const { contenders, prompts, onImage } = task;
  const total = prompts.length * (contenders.length + 1);
  const count = new Counter((done) => onImage?.(done, total));
  await withModel(pipeline, task, "fp32", (draw) => drawReference(draw, task, count));
  for (const storage of new Set(contenders.map((contender) => contender.storage))) {
    const own = contenders.filter((contender) => contender.storage === storage);
    await withModel(pipeline, task, storage, async (draw) => {
      for (const contender of own) await drawContender(draw, contender, task, count);
    });
  }
}

class Counter {
  private done = 0;

  constructor(private readonly tell: (done: number) => void) {}

  add(images: number): void {
    this.done += images;
    this.tell(this.done);
  }
}

/** Loads the model for contenders of one storage type; by head if one of them needs it. */
async function withModel(
  pipeline: Pipeline,
  { model, options, contenders, calibration, signal }: ComparisonTask,
  storage: StorageType,
  work: (draw: Draw) => Promise<void>,
): Promise<void> {
  const byHead = contenders.find((contender) => contender.storage === storage && isHeadwise(contender));
  const cache: CacheOptions = byHead ? { storage, ...policyOf(byHead, calibration) } : { storage };
  const draw = await pipeline("text-to-image", model, { ...options, cache, signal });
  try {
    await work(draw);
  } finally {
    await draw.dispose();
  }
}

function policyOf({ policy, scoring, budget }: Contender, calibration: Budget | undefined): CacheOptions {
  return { policy, scoring, budget, calibration };
}

async function drawReference(draw: Draw, task: ComparisonTask, count: Counter): Promise<void> {
  const { store, prompts } = task;
  const missing: number[] = [];
  for (const index of prompts.keys()) if (!(await store.reference(index))) missing.push(index);
  count.add(prompts.length - missing.length);
  for (const indices of batches(missing, task.batch)) {
    const { images } = await drawBatch(draw, indices, task, { policy: "full" });
    for (const [i, index] of indices.entries()) await store.keepImage(REFERENCE, index, images[i]!);
    count.add(indices.length);
  }
}

async function drawContender(draw: Draw, contender: Contender, task: ComparisonTask, count: Counter): Promise<void> {
  const { store, prompts, calibration } = task;
  const known = new Set(store.outcomes.flatMap((one) => (one.contender === contender.name ? one.index : [])));
  const missing = [...prompts.keys()].filter((index) => !known.has(index));
  count.add(prompts.length - missing.length);
  for (const indices of batches(missing, task.batch)) {
    const { images, report } = await drawBatch(draw, indices, task, policyOf(contender, calibration));
    const outcomes: Outcome[] = [];
    for (const [i, index] of indices.entries()) {
      await store.keepImage(contender.name, index, images[i]!);
      outcomes.push({
        contender: contender.name,
        index,
        ...likeness(images[i]!, (await store.reference(index))!),
        cacheBytes: report.cache.peakBytes / indices.length,
        fullBytes: report.cache.fullBytes / indices.length,
        tokens: report.budget!,
        seconds: report.seconds / indices.length,
      });
    }
    await store.keepOutcomes(outcomes);
    count.add(indices.length);
  }
}

function drawBatch(
  draw: Draw,
  indices: readonly number[],
  { prompts, seed, drawing, signal }: ComparisonTask,
  cache: CacheOptions,
): ReturnType<Draw> {
  const seeds = indices.map((index) => seed + index);
  return draw(
    indices.map((index) => prompts[index]!),
    { ...drawing, seed: seeds, cache, signal },
  );
}

function likeness(image: DrawnImage, reference: RgbImage): Pick<Outcome, "psnr" | "ssim"> {
  const decibels = psnr(image, reference);
  return { psnr: Number.isFinite(decibels) ? decibels : null, ssim: ssim(image, reference) };
}

function batches(indices: readonly number[], size: number): number[][] {
  return Array.from({ length: Math.ceil(indices.length / size) }, (_, i) => indices.slice(i * size, (i + 1) * size));
}
