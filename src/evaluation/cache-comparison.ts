/**
 * The comparison of caches: every prompt is drawn with the full cache in float32, then by every contender with the same
 * seed, and each image is measured against the full cache's. This is the form of the ScaleKV paper's Table 1.
 */
import type { Budget } from "../budget/budget.js";
import { isHeadwise, isMerging } from "../cache/registry.js";
import type { CacheOptions, Draw, DrawnImage, Pipeline, PipelineOptions } from "../generate/types.js";
import type { RgbImage } from "../metrics/image.js";
import { psnr } from "../metrics/psnr.js";
import { ssim } from "../metrics/ssim.js";
import type { Contender } from "./contenders.js";
import { batches, Counter, drawBatch, drawMissing, type ImageStore, type PromptDrawing } from "./drawing.js";
import type { Outcome } from "./outcomes.js";

/** The name under which the full cache's images are kept. */
export const REFERENCE = "full";

/** Where images go, by the contender's name or {@link REFERENCE}, and what an earlier attempt has left. */
export interface EvaluationStore extends ImageStore {
  /** The outcomes there are already. */
  readonly outcomes: readonly Outcome[];
  /** Keeps outcomes whose images are kept. */
  keepOutcomes(outcomes: readonly Outcome[]): Promise<void>;
}

/** What is compared. */
export interface ComparisonTask extends PromptDrawing {
  readonly model: string;
  readonly contenders: readonly Contender[];
  /** What is known of the model's heads and layers; contenders by head need it. */
  readonly calibration?: Budget | null | undefined;
  readonly options: Omit<PipelineOptions, "cache">;
  readonly store: EvaluationStore;
  /** `done` of `total` images are drawn. */
  readonly onImage?: ((done: number, total: number) => void) | undefined;
}

/** Draws and measures what is not there yet. The store has all outcomes then. */
export async function compareCaches(pipeline: Pipeline, task: ComparisonTask): Promise<void> {
  const { contenders, prompts, onImage } = task;
  const total = prompts.length * (contenders.length + 1);
  const count = new Counter((done) => onImage?.(done, total));
  await withModel(pipeline, task, [], (draw) =>
    drawMissing(draw, task, task.store, REFERENCE, { policy: "full" }, count),
  );
  for (const group of loadedAlike(contenders)) {
    await withModel(pipeline, task, group, async (draw) => {
      for (const contender of group) await drawContender(draw, contender, task, count);
    });
  }
}

/** Contenders that one loaded model serves: those of a storage type that merge tokens, and the others. */
function loadedAlike(contenders: readonly Contender[]): Contender[][] {
  const groups = new Map<string, Contender[]>();
  for (const contender of contenders) {
    const key = `${contender.storage} ${isMerging(contender)}`;
    groups.set(key, [...(groups.get(key) ?? []), contender]);
  }
  return [...groups.values()];
}

/** Loads the model for contenders that can share it, or for the full cache; by head if one of them needs it. */
async function withModel(
  pipeline: Pipeline,
  { model, options, calibration, signal }: ComparisonTask,
  contenders: readonly Contender[],
  work: (draw: Draw) => Promise<void>,
): Promise<void> {
  const storage = contenders[0]?.storage ?? "fp32";
  const special = contenders.find((contender) => isHeadwise(contender) || isMerging(contender));
  const cache: CacheOptions = special ? { storage, ...policyOf(special, calibration) } : { storage };
  const draw = await pipeline("text-to-image", model, { ...options, cache, signal });
  try {
    await work(draw);
  } finally {
    await draw.dispose();
  }
}

function policyOf({ policy, scoring, budget }: Contender, calibration: Budget | null | undefined): CacheOptions {
  return { policy, scoring, budget, calibration };
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
        ...likeness(images[i]!, (await store.image(REFERENCE, index))!),
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

function likeness(image: DrawnImage, reference: RgbImage): Pick<Outcome, "psnr" | "ssim"> {
  const decibels = psnr(image, reference);
  return { psnr: Number.isFinite(decibels) ? decibels : null, ssim: ssim(image, reference) };
}
