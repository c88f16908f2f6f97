/** Many prompts, drawn batch by batch; what an earlier attempt has left is not drawn again. */
import type { CachePolicyOptions, Draw, DrawOptions } from "../generate/types.js";
import type { RgbImage } from "../metrics/image.js";

/** Pictures by the name of a set and the prompt's number, from 0. */
export interface ImageStore {
  /** The picture, if it is there. */
  image(set: string, index: number): Promise<RgbImage | undefined>;
  keepImage(set: string, index: number, image: RgbImage): Promise<void>;
}

/** What is drawn, and how. */
export interface PromptDrawing {
  readonly prompts: readonly string[];
  /** Images drawn at once; a seed gives the same image in any batch. */
  readonly batch: number;
  /** The first prompt's seed; every further one has the next. */
  readonly seed: number;
  readonly drawing: Omit<DrawOptions, "seed" | "cache" | "signal" | "onProgress" | "onScale">;
  readonly signal?: AbortSignal | undefined;
}

/** Counts pictures, those included that were there already. */
export class Counter {
  private done = 0;

  constructor(private readonly tell: (done: number) => void) {}

  add(images: number): void {
    this.done += images;
    this.tell(this.done);
  }
}

/** Draws the pictures of a set that are not in the store yet. */
export async function drawMissing(
  draw: Draw,
  task: PromptDrawing,
  store: ImageStore,
  set: string,
  cache: CachePolicyOptions | undefined,
  count: Counter,
): Promise<void> {
  const missing: number[] = [];
  for (const index of task.prompts.keys()) if (!(await store.image(set, index))) missing.push(index);
  count.add(task.prompts.length - missing.length);
  for (const indices of batches(missing, task.batch)) {
    const { images } = await drawBatch(draw, indices, task, cache);
    for (const [i, index] of indices.entries()) await store.keepImage(set, index, images[i]!);
    count.add(indices.length);
  }
}

/** Draws some of the prompts as one batch. */
export function drawBatch(
  draw: Draw,
  indices: readonly number[],
  { prompts, seed, drawing, signal }: PromptDrawing,
  cache: CachePolicyOptions | undefined,
): ReturnType<Draw> {
  const seeds = indices.map((index) => seed + index);
  return draw(
    indices.map((index) => prompts[index]!),
    { ...drawing, seed: seeds, cache, signal },
  );
}

/** Runs of at most `size`. */
export function batches(indices: readonly number[], size: number): number[][] {
  return Array.from({ length: Math.ceil(indices.length / size) }, (_, i) => indices.slice(i * size, (i + 1) * size));
}
