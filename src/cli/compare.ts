/**
 * `generate --compare`: the full cache beside a compressed one, same prompts, seed and settings, one loaded model. It is
 * what the published `infer_2b` and `infer_8b` scripts do, with the images' likeness measured as well.
 */
import type { CacheOptions, CachePolicyOptions, DrawnImage, DrawResult } from "../generate/types.js";
import { OptionError } from "../errors.js";
import { comparisonPicture } from "../metrics/difference.js";
import { psnr } from "../metrics/psnr.js";
import { ssim } from "../metrics/ssim.js";
import type { Comparison, Likeness } from "./compare-report.js";
import { checkWritable, variantFile, writeImage } from "./image-file.js";
import { writeImages, type Outputs } from "./outputs.js";

/** Draws all prompts; `cache` replaces the policy that the model was loaded with, `outputs` says where previews go. */
export type DrawOnce = (outputs: Outputs, cache?: CachePolicyOptions) => Promise<DrawResult>;

/** A command's outputs with what is written beside them: the full cache's images, and the comparisons. */
export interface ComparisonOutputs {
  readonly compressed: Outputs;
  readonly full: Outputs;
  /** full | compressed | difference, one a prompt. */
  readonly pictures: readonly string[];
}

/**
 * Names the further files, `fox-full.png` and `fox-compare.png` beside `fox.png`.
 *
 * @throws OptionError where they cannot be written, or no policy but `full` is asked for
 */
export async function prepareComparison(outputs: Outputs, cache: CacheOptions = {}): Promise<ComparisonOutputs> {
  const { policy = "full" } = cache;
  if (policy === "full") throw new OptionError("--compare: --policy full is one side of it; name the other");
  const full = { ...outputs, files: outputs.files.map((file) => variantFile(file, "full")) };
  const pictures = outputs.files.map((file) => variantFile(file, "compare"));
  for (const file of [...full.files, ...pictures]) await checkWritable(file);
  return { compressed: outputs, full, pictures };
}

/** Draws with both caches, then measures and writes everything. */
export async function compare(drawOnce: DrawOnce, outputs: ComparisonOutputs): Promise<Comparison> {
  // A process's peak only ever rises: the smaller run's is its own only if that run is the first.
  const compressed = await drawOnce(outputs.compressed);
  const full = await drawOnce(outputs.full, { policy: "full" });
  const likenesses: Likeness[] = [];
  for (const [i, file] of outputs.pictures.entries()) {
    likenesses.push(await comparePair(full.images[i]!, compressed.images[i]!, file, outputs));
  }
  return {
    full: { images: await writeImages(full.images, outputs.full), report: full.report },
    compressed: { images: await writeImages(compressed.images, outputs.compressed), report: compressed.report },
    likenesses,
  };
}

/** Measures levels as they were drawn, whatever a lossy file makes of them. */
async function comparePair(
  full: DrawnImage,
  compressed: DrawnImage,
  file: string,
  { compressed: { encoding } }: ComparisonOutputs,
): Promise<Likeness> {
  const likeness = { file, psnr: psnr(full, compressed), ssim: ssim(full, compressed) };
  await writeImage(file, comparisonPicture(full, compressed), encoding);
  return likeness;
}
