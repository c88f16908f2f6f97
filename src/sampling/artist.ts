/**
 * Draws the pictures of a run. What a picture is depends on the run and on its number, on nothing else: any artist, on
 * this machine or another of its kind, draws the same bytes, in any order and beside any others.
 */
import { choosePolicy } from "../cache/registry.js";
import { elementCount } from "../checkpoint/tensor.js";
import { ModelError, SamplingError } from "../errors.js";
import { pipeline } from "../generate/pipeline.js";
import { resolveSettings } from "../generate/settings.js";
import type {
  CacheOptions,
  Draw,
  DrawnImage,
  Pipeline,
  PipelineOptions,
  RunReport,
  WeightType,
} from "../generate/types.js";
import type { ModelFiles } from "../models/assemble.js";
import { resolveModel } from "../models/folder.js";
import { imageSize, mapTokens } from "../models/infinity/schedule.js";
import { pixelsPerToken } from "../models/pairing.js";
import { imagesWithin, spareMemory, type ImageLoad } from "./batch-size.js";
import { fingerprint } from "./fingerprint.js";
import { sha256 } from "./hash.js";
import type { ModelPlace } from "./manifest.js";
import { encodePicture } from "./picture-file.js";
import type { PictureRecord } from "./records.js";
import { packageVersion } from "./release.js";
import type { Run } from "./run.js";
import { drawingOf, type RunSettings } from "./settings.js";
import type { Task } from "./task.js";

/** A drawn picture: its file's bytes, and what the ledger will say of it. */
export interface Picture extends Omit<PictureRecord, "bytes" | "finished"> {
  readonly bytes: Uint8Array;
}

/** How an artist works; nothing of it changes a picture. */
export interface ArtistOptions {
  /** Where the model lies here. Default: where it was for who began the run. */
  readonly model?: ModelPlace | undefined;
  /** CPU threads. Default: one per core. */
  readonly threads?: number | undefined;
  /**
   * Images drawn at once. Default: as many as the memory allows. Always 1 where matrices are in blocks and nothing is guided:
   * a product rounds the first scale's only token otherwise than several, so a batch would show in the pictures.
   */
  readonly batch?: number | undefined;
  /** Bytes the process may take, on a device of its own memory that one. Default: most of what is free. */
  readonly memory?: number | undefined;
  /** Whether matrices in 8 and 4 bits are kept on disk, as `pipeline` has it. Default true. */
  readonly weightsCache?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: PipelineOptions["onProgress"];
}

/** Bytes a parameter takes, at most: blocks have a scale each, and what is no layer's matrix stays float32. */
const WEIGHT_BYTES: Readonly<Record<WeightType, number>> = { fp32: 4, fp16: 2.2, q8: 1.2, w8a8: 1.1, q4: 0.7 };

/** An image that was drawn, with its share of what its batch took. */
interface Share {
  readonly image: DrawnImage;
  readonly seconds: number;
  readonly cacheBytes: number;
  readonly peakBytes: number;
}

/** A loaded model that draws one run. Whoever opens it calls `dispose`. */
export class Artist {
  private constructor(
    private readonly run: Run,
    private readonly pipeline: Draw,
    /** Images drawn at once. */
    readonly batch: number,
  ) {}

  /**
   * Loads the run's model; `load` brings the engine (tests bring their own).
   *
   * @throws ModelError where the model here is not the one of the run, SamplingError where the release is not, and
   *   whatever loading throws
   */
  static async open(run: Run, options: ArtistOptions = {}, load: Pipeline = pipeline): Promise<Artist> {
    const { settings, model } = run.manifest;
    const { threads, weightsCache, signal, onProgress } = options;
    const place = options.model ?? model;
    requireRelease(settings);
    const image = await measure(run, place);
    const { device, weights } = settings;
    const parts = { vae: place.vae, textEncoder: place.textEncoder };
    const cache = cacheOf(run);
    const draw = await load("text-to-image", place.name, {
      ...parts,
      ...{ device, weights, weightsCache, cache, threads, signal, onProgress },
    });
    const alone = image.rows === 1 && (weights === "q8" || weights === "q4");
    return new Artist(run, draw, alone ? 1 : (options.batch ?? batchFor(run, image, options.memory)));
  }

  /**
   * Draws the pictures with these numbers, in their order. More images than fit at once are drawn one batch after another.
   *
   * @throws the signal's reason once it is aborted
   */
  async draw(indices: readonly number[], signal?: AbortSignal): Promise<Picture[]> {
    const tasks = indices.map((index) => this.task(index));
    const wanted = tasks.flatMap(({ prompt, seeds }) => seeds.map((seed) => ({ prompt, seed })));
    const shares: Share[] = [];
    while (shares.length < wanted.length) {
      const batch = wanted.slice(shares.length, shares.length + this.batch);
      const seeds = batch.map(({ seed }) => seed);
      const prompts = batch.map(({ prompt }) => prompt);
      const drawing = drawingOf(this.run.manifest.settings);
      const { images, report } = await this.pipeline(prompts, { ...drawing, seed: seeds, signal });
      shares.push(...images.map((image) => shareOf(image, report)));
    }
    return Promise.all(tasks.map((task) => finish(task, shares.splice(0, task.seeds.length))));
  }

  /** Frees the model. */
  async dispose(): Promise<void> {
    await this.pipeline.dispose();
  }

  private task(index: number): Task {
    const task = this.run.tasks[index];
    if (!task) throw new RangeError(`task ${index} of ${this.run.tasks.length}`);
    return task;
  }
}

function requireRelease({ release }: RunSettings): void {
  const here = packageVersion();
  if (release !== here) throw new SamplingError(`scalekv ${here}: the run was begun with release ${release}`);
}

/** The cache's options, as the pipeline takes them. */
function cacheOf({ manifest, calibration }: Run): CacheOptions {
  const { policy, tokens, scoring, storage } = manifest.settings.cache;
  if (tokens === undefined) return { policy, storage };
  // What the run was settled with and nothing else, whatever lies beside the model here.
  return { policy, storage, scoring, calibration: calibration ?? null, budget: String(tokens) };
}

/** What an image takes, read off the model's files, which are checked to be the run's. */
async function measure(run: Run, place: ModelPlace): Promise<ImageLoad> {
  const files = await resolveModel(place.name, place);
  try {
    const here = await fingerprint(files);
    const { model } = run.manifest.settings;
    if (here === model) return imageLoad(run, files);
    throw new ModelError(
      `${place.name}: another model than the run's: fingerprint ${here}, the manifest says ${model}`,
    );
  } finally {
    await files.close();
  }
}

function imageLoad(run: Run, { infinity: { config, tensors }, vae, defaults }: ModelFiles): ImageLoad {
  const { settings } = run.manifest;
  const tokenPixels = pixelsPerToken(config, vae.config);
  const { depth, heads, width } = config;
  const task = { images: 1, depth, tokenPixels };
  const { schedule, guided } = resolveSettings(drawingOf(settings), defaults, task);
  const { maps } = schedule;
  const { policy } = choosePolicy(cacheOf(run), { model: { depth, heads, width }, maps, tokenBytes: 0 });
  const size = imageSize(schedule, tokenPixels);
  const parameters = [...tensors.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0);
  return {
    config,
    weights: parameters * WEIGHT_BYTES[settings.weights],
    storage: settings.cache.storage,
    plan: policy.plan({ layers: depth, heads, maps }),
    lastTokens: mapTokens(maps.at(-1)!),
    rows: guided ? 2 : 1,
    characters: run.tasks.reduce((most, { prompt }) => Math.max(most, prompt.length), 0),
    pixels: size.width * size.height,
  };
}

/** On the CPU beside what the process holds once loaded; a device's memory is not ours to guess, so there it must be told. */
function batchFor({ manifest }: Run, image: ImageLoad, memory: number | undefined): number {
  if (manifest.settings.device !== "cpu") return memory === undefined ? 1 : imagesWithin(image, memory - image.weights);
  return imagesWithin(image, memory === undefined ? spareMemory() : memory - process.memoryUsage.rss());
}

function shareOf(image: DrawnImage, { seconds, images, cache, process }: RunReport): Share {
  return {
    image,
    seconds: seconds / images,
    cacheBytes: cache.peakBytes / images,
    peakBytes: process?.peakBytes ?? 0,
  };
}

/** A task's images as its file. */
async function finish({ index, file }: Task, shares: readonly Share[]): Promise<Picture> {
  const bytes = await encodePicture(
    shares.map(({ image }) => image),
    file,
  );
  return {
    index,
    file,
    sha256: sha256(bytes),
    bytes,
    seconds: shares.reduce((sum, { seconds }) => sum + seconds, 0),
    cacheBytes: Math.max(...shares.map(({ cacheBytes }) => cacheBytes)),
    peakBytes: Math.max(...shares.map(({ peakBytes }) => peakBytes)),
  };
}
