/**
 * Prompts in, images out, in the thread it is called from. ONNX Runtime blocks that thread while an operator runs, so a
 * program that must stay responsive uses `pipeline`, which keeps an engine in a worker.
 */
import type { AttentionStatistics, CalibrationSubject } from "../budget/calibration.js";
import {
  checkCalibration,
  checkPolicyOptions,
  choosePolicy,
  isHeadwise,
  isMerging,
  type ChosenPolicy,
} from "../cache/registry.js";
import { bytesPerToken, STORAGE_TYPES, type StorageType } from "../cache/storage.js";
import { OptionError } from "../errors.js";
import { WEIGHT_TYPES, type WeightType } from "../graph/model.js";
import type { ModelFiles } from "../models/assemble.js";
import { pixelsPerToken } from "../models/pairing.js";
import { t5LayerBytes } from "../models/t5/config.js";
import { T5Encoder } from "../models/t5/encoder.js";
import { chooseDevice, hasHalfProducts, hasIntegerProducts, keepsOutputs, type Device } from "../runtime/device.js";
import { disposeAll } from "../runtime/dispose.js";
import { processMemoryIfTold } from "../runtime/memory.js";
import { configureWasm } from "../runtime/ort.js";
import { totalTokens } from "../models/infinity/schedule.js";
import { ImageModel, type DrawnBatch, type Images } from "./image-model.js";
import { policyTask } from "./policy-task.js";
import { Recorder } from "./recorder.js";
import { resolveSettings, type Settings } from "./settings.js";
import { encodePrompts } from "./text.js";
import { loadTokenizer, type Tokenizer } from "./tokenizer.js";
import type {
  CacheOptions,
  DrawnImage,
  DrawOptions,
  DrawProgress,
  DrawResult,
  PipelineOptions,
  RunReport,
} from "./types.js";

/** A text encoder whose weights take more than this as float32 is streamed through memory layer by layer. */
const RESIDENT_TEXT_ENCODER_BYTES = 2 ** 30;

/** Finds, opens and checks a model's files: on disk (`resolveModel`) or on a server (`openModelAt`). */
export type OpenModel = (name: string, parts: Pick<PipelineOptions, "vae" | "textEncoder">) => Promise<ModelFiles>;

/** A loaded model. */
export class Engine {
  private constructor(
    private readonly files: ModelFiles,
    private readonly device: Device,
    private readonly weights: WeightType,
    private readonly tokenizer: Tokenizer,
    private readonly encoder: T5Encoder,
    private readonly model: ImageModel,
    private readonly cache: CacheOptions,
  ) {}

  /** Opens a model by the name that `open` knows it by, and loads it; see {@link PipelineOptions}. */
  static async load(name: string, options: PipelineOptions, open: OpenModel): Promise<Engine> {
    const {
      threads,
      weights = "fp32",
      weightsCache = true,
      profile,
      signal,
      onProgress,
      vae,
      textEncoder,
      cache = {},
    } = options;
    const device = chooseDevice(options.device ?? "auto");
    configureWasm(options);
    checkPolicyOptions(cache);
    checkLoading(device, { threads, weights, storage: cache.storage });
    const files = await open(name, { vae, textEncoder });
    let encoder: T5Encoder | undefined;
    try {
      // Opening has no signal of its own.
      signal?.throwIfAborted();
      checkCalibration(cache, files.calibration);
      const tokenizer = await loadTokenizer(files.textEncoder);
      encoder = await loadEncoder(files, device, options);
      const kinds = { headwise: isHeadwise(cache), merging: isMerging(cache) };
      const store = weightsCache ? files.store : undefined;
      const layers = { device, threads, weights, store, profile, storage: cache.storage, ...kinds };
      const model = await ImageModel.load(files, layers, (done, total) => {
        signal?.throwIfAborted();
        onProgress?.({ stage: "load", part: "transformer", done, total });
      });
      return new Engine(files, device, weights, tokenizer, encoder, model, cache);
    } catch (error) {
      await Promise.allSettled([encoder?.dispose(), files.close()]);
      throw error;
    }
  }

  /** Draws one image a prompt, all in one batch. */
  async draw(prompts: readonly string[], options: DrawOptions = {}): Promise<DrawResult> {
    const { config } = this.files.infinity;
    const settings = this.settings(options, prompts.length);
    const { policy, budget, roles } = this.choosePolicy(options.cache ?? this.cache, settings, prompts.length);
    const plan = this.model.plan(settings, prompts.length, policy);
    const recorder = new Recorder();
    const { texts, negatives } = await this.readPrompts(prompts, settings, options);
    await recorder.mark("text", 0);
    const drawn = await this.model.draw({
      texts,
      negatives,
      settings,
      plan,
      recorder,
      checkpoint: () => options.signal?.throwIfAborted(),
      onLayer: (scale, layer) => options.onProgress?.(layerProgress(settings, scale, layer, config.depth)),
      onPreview: options.onScale && ((scale, decode) => this.preview(prompts, settings, options, scale, decode)),
    });
    options.onProgress?.({ stage: "vae", image: prompts.length, images: prompts.length });
    const images = split(drawn.images, prompts, settings);
    const told = await this.report(settings, recorder, drawn, prompts.length);
    const { cache, weightsBytes, workingBytes, process } = told;
    const report = { ...told, policy: policy.name, budget, roles };
    return { image: images[0]!, images, memory: { cache, weightsBytes, workingBytes, process }, report };
  }

  /** What a calibration with these options is about. Attention is measured where the cache is a float32 one on the host. */
  subject(options: DrawOptions = {}): CalibrationSubject {
    const { device, cache } = this;
    if (keepsOutputs(device)) {
      throw new OptionError(`device ${device}: keeps its cache to itself; attention is measured on the cpu`);
    }
    if (isHeadwise(cache) || isMerging(cache))
      throw new OptionError(`policy ${cache.policy!}: attention is measured with the full cache`);
    const { storage = "fp32" } = cache;
    if (storage !== "fp32") throw new OptionError(`storage ${storage}: attention is measured with an fp32 cache`);
    const { schedule, guided } = this.settings(options, 1);
    const { ratio, pixels, maps } = schedule;
    const { depth, heads, width } = this.files.infinity.config;
    return {
      name: this.files.name,
      model: { depth, heads, width },
      schedule: { ratio, pixels, maps },
      tokenBytes: depth * (guided ? 2 : 1) * bytesPerToken(storage, heads, width / heads),
    };
  }

  /** Draws a prompt with the full cache and tells how its layers attended to it. */
  async measure(prompt: string, options: DrawOptions = {}): Promise<AttentionStatistics> {
    const { depth } = this.subject(options).model;
    const settings = this.settings(options, 1);
    const { texts, negatives } = await this.readPrompts([prompt], settings, options);
    return this.model.measure({
      texts,
      negatives,
      settings,
      recorder: new Recorder(),
      checkpoint: () => options.signal?.throwIfAborted(),
      onLayer: (scale, layer) => options.onProgress?.(layerProgress(settings, scale, layer, depth)),
    });
  }

  /** Frees all sessions and closes the files. */
  async dispose(): Promise<void> {
    await disposeAll([this.encoder, this.model]);
  }

  private settings(options: DrawOptions, images: number): Settings {
    const { infinity, vae, defaults } = this.files;
    const tokenPixels = pixelsPerToken(infinity.config, vae.config);
    return resolveSettings(options, defaults, { images, depth: infinity.config.depth, tokenPixels });
  }

  /** The policy for this call's schedule and rows. */
  private choosePolicy(wish: CacheOptions, settings: Settings, images: number): ChosenPolicy {
    const { storage = "fp32" } = this.cache;
    if (wish.storage !== undefined && wish.storage !== storage)
      throw new OptionError(
        `storage ${wish.storage}: the model was loaded for ${storage}, which no single call changes`,
      );
    const { infinity, calibration } = this.files;
    return choosePolicy(wish, policyTask(infinity.config, settings, { images, storage, calibration }));
  }

  private async readPrompts(
    prompts: readonly string[],
    { guided }: Settings,
    { negative, positivePrompt, signal, onProgress }: DrawOptions,
  ): Promise<{ texts: Float32Array[]; negatives: Float32Array[] | undefined }> {
    const onLayer = (layer: number, layers: number): void => onProgress?.({ stage: "text", layer, layers });
    const parts = { tokenizer: this.tokenizer, encoder: this.encoder };
    const common = { signal, onLayer, maxLength: this.files.infinity.config.textLength };
    const encoded = await encodePrompts(prompts, parts, { ...common, positivePrompt });
    const texts = encoded.map(({ features }) => features);
    // Nothing steers away from it without guidance.
    if (negative === undefined || !guided) return { texts, negatives: undefined };
    const [avoided] = await encodePrompts([negative], parts, common);
    return { texts, negatives: prompts.map(() => avoided!.features) };
  }

  private async preview(
    prompts: readonly string[],
    settings: Settings,
    options: DrawOptions,
    scale: number,
    decode: () => Promise<Images>,
  ): Promise<void> {
    const images = split(await decode(), prompts, settings);
    await options.onScale?.({ scale, scales: settings.schedule.maps.length, images });
  }

  private async report(
    settings: Settings,
    recorder: Recorder,
    drawn: DrawnBatch,
    images: number,
  ): Promise<Omit<RunReport, "policy" | "budget" | "roles">> {
    const memory = await processMemoryIfTold();
    const { cache, workingBytes } = drawn;
    const loaded = recorder.stages[0]?.residentBytes ?? 0;
    const accountedBytes = workingBytes === undefined ? undefined : loaded + cache.duringBytes + workingBytes;
    return {
      model: this.files.name,
      device: this.device,
      images,
      schedule: settings.schedule.maps,
      tokens: totalTokens(settings.schedule),
      stages: recorder.stages,
      storage: this.cache.storage ?? "fp32",
      weights: this.weights,
      cache,
      weightsBytes: this.model.weightBytes + this.encoder.weightsBytes,
      workingBytes,
      process: memory && { peakBytes: highest(memory.peak, recorder), accountedBytes },
      seconds: recorder.seconds,
    };
  }
}

/** The kernel counts pages in batches, so that its high-water mark may lie a little below what it said at some time. */
function highest(peak: number, { stages }: Recorder): number {
  return Math.max(peak, ...stages.map(({ residentBytes = 0 }) => residentBytes));
}

/** Refuses, by an OptionError, what a program may pass although its types forbid it. */
function checkLoading(device: Device, { threads, weights, storage }: LoadingOptions): void {
  if (!WEIGHT_TYPES.includes(weights))
    throw new OptionError(`weights ${weights}: not one of ${WEIGHT_TYPES.join(", ")}`);
  if (weights === "w8a8" && !hasIntegerProducts(device))
    throw new OptionError(`weights w8a8: not on ${device}, which has no such products; q8 and q4 are`);
  if (weights === "fp16" && !hasHalfProducts(device))
    throw new OptionError(`weights fp16: not on ${device}, which multiplies in float32; webgpu and cuda do in float16`);
  if (storage !== undefined && !STORAGE_TYPES.includes(storage))
    throw new OptionError(`storage ${storage as string}: not one of ${STORAGE_TYPES.join(", ")}`);
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0))
    throw new OptionError(`threads ${threads}: not a whole number from 1`);
}

interface LoadingOptions extends Pick<PipelineOptions, "threads"> {
  readonly weights: WeightType;
  readonly storage: StorageType | undefined;
}

function loadEncoder(files: ModelFiles, device: Device, options: PipelineOptions): Promise<T5Encoder> {
  const { threads, profile, signal, onProgress } = options;
  const { config, tensors, path } = files.textEncoder;
  const stream = t5LayerBytes(config) * config.layers > RESIDENT_TEXT_ENCODER_BYTES;
  const onLoad = (done: number, total: number): void =>
    onProgress?.({ stage: "load", part: "text encoder", done, total });
  return T5Encoder.create(config, { path, tensors }, { device, threads, profile, signal, stream, onLoad });
}

function layerProgress({ schedule }: Settings, scale: number, layer: number, layers: number): DrawProgress {
  const { maps } = schedule;
  return { stage: "scale", scale: scale + 1, scales: maps.length, map: maps[scale]!, layer: layer + 1, layers };
}

/** One image a prompt out of a batch. */
function split({ height, width, data }: Images, prompts: readonly string[], { seeds }: Settings): DrawnImage[] {
  const length = height * width * 3;
  return prompts.map((prompt, i) => ({
    width,
    height,
    data: data.slice(i * length, (i + 1) * length),
    prompt,
    seed: seeds[i]!,
  }));
}
