/**
 * From text features to images: the transformer and the autoencoder at work together. Whoever has features, the engine
 * from prompts or a parity case from a file, draws with this one class.
 */
import type { AttentionStatistics } from "../budget/calibration.js";
import { CACHE_LAYOUTS, cacheBytes } from "../budget/memory.js";
import type { KeptPositions, KvCache } from "../cache/kv-cache.js";
import { full } from "../cache/policies/full.js";
import type { CacheRun, Plan, Policy } from "../cache/policy.js";
import type { StorageType } from "../cache/storage.js";
import { readFloat32 } from "../checkpoint/read.js";
import { sliceRows } from "../checkpoint/tensor.js";
import { ModelError } from "../errors.js";
import { CodeAccumulator } from "../models/bsq-vae/accumulator.js";
import { Vae } from "../models/bsq-vae/vae.js";
import type { ImageModelFiles } from "../models/assemble.js";
import { lookupIn } from "../models/lookup.js";
import { historyTokens, mapTokens, totalTokens } from "../models/infinity/schedule.js";
import { joinTexts, type TextCondition, type TextRows } from "../models/infinity/text.js";
import { Transformer, type TransformerOptions } from "../models/infinity/transformer.js";
import { disposeAll } from "../runtime/dispose.js";
import { MOST_GARBAGE } from "../runtime/memory.js";
import { drawScales, type ChooseBits } from "./draw-scales.js";
import type { Recorder } from "./recorder.js";
import { sampleBits } from "./sampling.js";
import type { Settings } from "./settings.js";
import type { CacheReport } from "./types.js";

/** Images side by side, [batch, height, width, 3] levels, red first. */
export type Images = Awaited<ReturnType<Vae["decode"]>>;

/** A batch before it is planned what its cache keeps. */
export interface UnplannedBatch {
  /** The encoder's features of every prompt, [text, textChannels]. */
  readonly texts: readonly Float32Array[];
  /** What to steer away from, one for each prompt; without it the model's learned unconditional text of equal length. */
  readonly negatives?: readonly Float32Array[] | undefined;
  readonly settings: Settings;
  readonly recorder: Recorder;
  /** Default: the sampler, by the settings' seeds. */
  readonly chooseBits?: ChooseBits | undefined;
  /** Throws once the caller has given up. */
  readonly checkpoint?: (() => void) | undefined;
  /** Layer `layer` of scale `scale` is done, both counted from 0. */
  readonly onLayer?: ((scale: number, layer: number) => void) | undefined;
  /** Of layer `layer` only these positions stay after scale `scale`. */
  readonly onKept?: ((scale: number, layer: number, kept: KeptPositions) => void) | undefined;
  /** A scale but the last is done; `decode` gives small images as they stand. */
  readonly onPreview?: ((scale: number, decode: () => Promise<Images>) => Promise<void>) | undefined;
}

/** One batch to draw. */
export interface Batch extends UnplannedBatch {
  /** What stays in the cache; see {@link ImageModel.plan}. */
  readonly plan: Plan;
}

/** What a batch became. */
export interface DrawnBatch {
  readonly images: Images;
  readonly cache: CacheReport;
  /** What a layer works with, at most; undefined on a device with memory of its own. */
  readonly workingBytes: number | undefined;
}

/** A loaded transformer with its autoencoder. */
export class ImageModel {
  private constructor(
    readonly files: ImageModelFiles,
    private readonly transformer: Transformer,
    private readonly vae: Vae,
    private readonly storage: StorageType,
  ) {}

  /** Loads the transformer's layers; the decoder follows when the first image needs it. */
  static async load(
    files: ImageModelFiles,
    options: TransformerOptions,
    onPiece?: (done: number, total: number) => void,
  ): Promise<ImageModel> {
    const { infinity, vae } = files;
    const lookup = lookupIn(infinity.tensors, infinity.path);
    // It holds nothing yet, so that it may fail while nothing else does.
    const decoder = new Vae(vae.config, lookupIn(vae.tensors, vae.path), options);
    const transformer = await Transformer.load(infinity.config, lookup, options, onPiece);
    return new ImageModel(files, transformer, decoder, options.storage ?? "fp32");
  }

  /** Bytes of the transformer's weights in memory. */
  get weightBytes(): number {
    return this.transformer.weightBytes;
  }

  /**
   * What a policy, by default the full cache, keeps of a batch of images.
   *
   * @throws OptionError for a batch that has no room, or a policy that the model was not loaded for
   */
  plan(settings: Settings, images: number, policy: Policy = full): Plan {
    this.transformer.requireRoom(images, settings.guided ? 2 * images : images, largestMap(settings));
    const plan = policy.plan(this.cacheRun(settings));
    this.transformer.requireLayersFor(plan);
    return plan;
  }

  /** Draws one batch. */
  async draw(batch: Batch): Promise<DrawnBatch> {
    const { settings, recorder, plan } = batch;
    const text = await recorder.time("conditioning", () => this.conditions(batch));
    const cache = this.transformer.makeCache(text.rows, plan);
    const codes = await this.drawCodes(batch, text, cache);
    const decoded = await this.vae.decode(codes.summed, batch.checkpoint);
    await recorder.mark("vae", 0);
    const working = this.transformer.workingBytes(text.rows, plan, largestMap(settings));
    return {
      images: decoded,
      cache: this.cacheReport(cache, settings, text.rows),
      workingBytes: working === undefined ? undefined : working + MOST_GARBAGE,
    };
  }

  /** Draws one batch with the full cache, only to see how the layers attend to it. */
  async measure(batch: UnplannedBatch): Promise<AttentionStatistics> {
    const text = await this.conditions(batch);
    const cache = this.transformer.makeWatchingCache(text.rows, this.cacheRun(batch.settings));
    await this.drawCodes(batch, text, cache);
    return cache.statistics;
  }

  /** Frees the sessions and closes the files. */
  async dispose(): Promise<void> {
    await disposeAll([this.transformer, this.vae, { dispose: () => this.files.close() }]);
  }

  /** The codes of all scales, summed; frees the cache. */
  private async drawCodes(batch: UnplannedBatch, text: TextRows, cache: KvCache): Promise<CodeAccumulator> {
    const { settings, texts } = batch;
    const codes = this.makeCodes(settings, texts.length);
    try {
      await drawScales({
        transformer: this.transformer,
        settings,
        batch: texts.length,
        text,
        cache,
        codes,
        chooseBits: batch.chooseBits ?? this.sampler(settings),
        time: batch.recorder.time,
        checkpoint: batch.checkpoint ?? (() => undefined),
        onLayer: batch.onLayer,
        onKept: batch.onKept,
        onScale: (scale) => this.afterScale(batch, cache, codes, scale),
      });
    } finally {
      cache.dispose();
      this.transformer.clearMemory();
    }
    return codes;
  }

  /** Conditional rows and, with guidance, the unconditional ones after them. Equal lengths share one computation. */
  private async conditions({ texts, negatives, settings }: UnplannedBatch): Promise<TextRows> {
    const { config } = this.files.infinity;
    const rows: TextCondition[] = [];
    for (const features of texts) rows.push(await this.transformer.condition(features));
    if (!settings.guided) return joinTexts(config, rows);
    const learned = new Map<number, TextCondition>();
    for (const [image, { length }] of texts.entries()) {
      const negative = negatives?.[image];
      const row = negative
        ? await this.transformer.condition(negative)
        : (learned.get(length) ?? (await this.unconditional(length)));
      if (!negative) learned.set(length, row);
      rows.push(row);
    }
    return joinTexts(config, rows);
  }

  /** The learned unconditional text, as many rows of it as the prompt's features (`length` values) have. */
  private async unconditional(length: number): Promise<TextCondition> {
    const { config, tensors, path } = this.files.infinity;
    const tokens = length / config.textChannels;
    if (tokens > config.textLength)
      throw new ModelError(`${path}: a text of ${tokens} tokens, at most ${config.textLength}`);
    const learned = lookupIn(tensors, path)("cfg_uncond");
    return this.transformer.condition(await readFloat32(sliceRows(learned, 0, tokens)));
  }

  private cacheRun({ schedule }: Settings): CacheRun {
    const { depth, heads } = this.files.infinity.config;
    return { layers: depth, heads, maps: schedule.maps };
  }

  private cacheReport({ peak }: KvCache, { schedule }: Settings, rows: number): CacheReport {
    const { depth, width, heads } = this.files.infinity.config;
    const owner = { depth, width, heads, rows };
    return {
      peakBytes: peak.held,
      duringBytes: peak.during,
      fullBytes: cacheBytes(owner, historyTokens(schedule), CACHE_LAYOUTS[this.storage]),
      publishedBytes: cacheBytes(owner, totalTokens(schedule), CACHE_LAYOUTS.published),
    };
  }

  private makeCodes({ schedule }: Settings, batch: number): CodeAccumulator {
    const { vae, infinity } = this.files;
    return new CodeAccumulator(schedule.maps, { batch, bits: vae.config.bits, patchify: infinity.config.patchify });
  }

  private sampler({ limits, seeds }: Settings): ChooseBits {
    const { bits } = this.files.infinity.config;
    return (scale, logits) => {
      const images = logits.map((image, i) =>
        sampleBits({ logits: image, tokens: image.length / (2 * bits), bits }, limits, seeds[i]!, scale),
      );
      return Uint8Array.from(images.flatMap((image) => [...image]));
    };
  }

  private async afterScale(
    batch: UnplannedBatch,
    cache: KvCache,
    codes: CodeAccumulator,
    scale: number,
  ): Promise<void> {
    const { recorder, settings, checkpoint, onPreview } = batch;
    const { maps } = settings.schedule;
    await recorder.mark(`scale ${scale + 1}`, cache.bytes, maps[scale]);
    if (!onPreview || scale === maps.length - 1) return;
    await onPreview(scale, () => this.vae.preview(codes.summed, checkpoint));
    await recorder.mark(`preview ${scale + 1}`, cache.bytes);
  }
}

/** Tokens of the last map, which is the largest. */
function largestMap({ schedule }: Settings): number {
  return mapTokens(schedule.maps.at(-1)!);
}
