/**
 * What a caller gives to the pipeline and what comes back. The library and the command line both speak in
 * these types; the engine behind them is `pipeline.ts`.
 */
import type { ImageSize, PixelClass, ScaleSize } from "../models/infinity/schedule.js";
import type { CachePolicyOptions, RolesFrom } from "../cache/registry.js";
import type { StorageType } from "../cache/storage.js";
import type { WeightType } from "../graph/model.js";
import type { Device } from "../runtime/device.js";

export type { CachePolicyOptions, RolesFrom } from "../cache/registry.js";
export type { WeightType } from "../graph/model.js";
export { PIXEL_CLASSES, type ImageSize, type PixelClass, type ScaleSize } from "../models/infinity/schedule.js";

/** What is kept, and how it is stored. */
export interface CacheOptions extends CachePolicyOptions {
  /** Element type of cached keys and values. Default `fp32`. */
  readonly storage?: StorageType | undefined;
}

/** The only task there is so far. */
export type Task = "text-to-image";

/** How a model is loaded. */
export interface PipelineOptions {
  /** Where graphs run; `auto` is the CPU under Node and WASM in a browser. Default `auto`. */
  readonly device?: Device | "auto" | undefined;
  /** The autoencoder's file, where it is not the one found beside the model. Needed in a browser. */
  readonly vae?: string | undefined;
  /**
   * The text encoder's folder, where it is not the one found beside the model. Needed in a browser, where it holds
   * `config.json`, `tokenizer.json`, `tokenizer_config.json` and `model.safetensors` or its index.
   */
  readonly textEncoder?: string | undefined;
  /**
   * Threads inside one operator on the CPU, at least 1. Default: ONNX Runtime's own choice, one per core; in a browser
   * one per two cores, at most 4, and 1 unless the page is cross-origin isolated (its server's COOP and COEP headers).
   */
  readonly threads?: number | undefined;
  /**
   * How the transformer's matrices are held: `fp32` (the default); `fp16`, for GPUs only, half of the memory; or in 8 or 4
   * bits, which are made when it first loads.
   * `q8` and `q4` are blocks with a scale each and take about a quarter and an eighth of the memory. WebGPU multiplies `fp16`, and on an
   * adapter that computes in float16 also `q8` and `q4`, in that type, and attends in it; states, norms and logits are float32
   * everywhere. `w8a8` has a scale for each output, and for each token that is multiplied: it takes as much memory as
   * `q8` and multiplies nearly twice as fast: far faster than `fp32` on a processor with dot products of bytes, as fast on others. It is
   * less exact where single channels are far larger than the rest. Not on GPUs.
   */
  readonly weights?: WeightType | undefined;
  /**
   * Node only: whether matrices in 8 and 4 bits are kept on disk for the next time, in `~/.cache/scalekv` or where the variable
   * `SCALEKV_CACHE` says; at most 16 GiB of them, or `SCALEKV_CACHE_LIMIT`. What has no room there is made anew each time.
   * Default true.
   */
  readonly weightsCache?: boolean | undefined;
  /**
   * Browsers only: address of the folder with ONNX Runtime's `.wasm` and `.mjs` files (`dist/` of onnxruntime-web),
   * ending in `/`. Default: beside the script, where bundlers that know `new URL(…, import.meta.url)` put them.
   */
  readonly wasmPaths?: string | undefined;
  /** The KV cache; what is kept can be chosen anew for each call. Default: all of it, in float32. */
  readonly cache?: CacheOptions | undefined;
  /** Node only: ONNX Runtime's profile of every graph is written to a file of its own whose path begins with this. */
  readonly profile?: string | undefined;
  /** Stops loading; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told about every part that is loaded. */
  readonly onProgress?: ((event: LoadProgress) => void) | undefined;
}

/** What one call draws. Every field may be left out; an out-of-range value is an `OptionError` before any work. */
export interface DrawOptions {
  /** Whole number from 0 to 2^32 − 1, one or one per prompt; an image depends on its seed, never on its batch. Default 0. */
  readonly seed?: number | readonly number[] | undefined;
  /** Wished size in pixels; the nearest published size is drawn. Excludes `pixels` and `ratio`. */
  readonly size?: ImageSize | undefined;
  /** Size class. Default: the one the model was trained for. */
  readonly pixels?: PixelClass | undefined;
  /** Height / width, 1/8 to 8; the nearest published ratio (1:3 to 3:1) is drawn. Default 1. */
  readonly ratio?: number | undefined;
  /** How far to go from the unconditional to the prompt's prediction, one value or one per scale; 1 is off. Default: the model's own. */
  readonly guidance?: number | readonly number[] | undefined;
  /** Where guidance is applied: 0 on the logits, −1 after the last layer, −2 after the one before it, … Default [0]. */
  readonly guidanceLayers?: readonly number[] | undefined;
  /** Divides the logits, one value or one per scale; small is calm, 1 as trained. Default: the model's own. */
  readonly temperature?: number | readonly number[] | undefined;
  /** A bit is drawn among its `topK` likeliest values; 1 is greedy, from 2 on no limit, 0 is off. Default 900, as published. */
  readonly topK?: number | undefined;
  /** A bit's less likely value is dropped where its probability is at most 1 − `topP`; 0 and 1 are off. Default 0.97, as published. */
  readonly topP?: number | undefined;
  /** What the image should not show; without it the model's learned unconditional text stands in. */
  readonly negative?: string | undefined;
  /** Appends the published words about faces to prompts that name a person. Default false. */
  readonly positivePrompt?: boolean | undefined;
  /** What of the KV cache is kept. Default: as the pipeline was told. */
  readonly cache?: CachePolicyOptions | undefined;
  /** Stops drawing; the promise then rejects with the signal's reason and nothing stays allocated. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each scale but the last with a small decoded image; waited for. Without it nothing is decoded early. */
  readonly onScale?: ((preview: ScalePreview) => void | Promise<void>) | undefined;
  /** Told about every step. */
  readonly onProgress?: ((event: DrawProgress) => void) | undefined;
}

/** An image, and what it was drawn from. */
export interface DrawnImage extends ImageSize {
  /** [height, width, 3] levels, red first. */
  readonly data: Uint8Array;
  readonly prompt: string;
  readonly seed: number;
}

/** The images as they stand after a scale. */
export interface ScalePreview {
  /** Number of the scale, from 0. */
  readonly scale: number;
  /** Number of scales in the schedule. */
  readonly scales: number;
  /** One small image a prompt. */
  readonly images: readonly DrawnImage[];
}

/** What a call gives back. */
export interface DrawResult {
  /** The first image; the only one where one prompt was given. */
  readonly image: DrawnImage;
  /** One image a prompt, in the prompts' order. */
  readonly images: readonly DrawnImage[];
  /** What the call took of memory; the same figures as in the report. */
  readonly memory: MemoryReport;
  /** Where time and memory went. */
  readonly report: RunReport;
}

/** The cache, the weights, what a layer works with and the process, in bytes. */
export type MemoryReport = Pick<RunReport, "cache" | "weightsBytes" | "workingBytes" | "process">;

/** Time and memory of one call. Times in seconds, sizes in bytes. */
export interface RunReport {
  /** The model's name or folder. */
  readonly model: string;
  readonly device: Device;
  /** Cache policy; `full` keeps everything. */
  readonly policy: string;
  /** Tokens a layer that the policy keeps on average; absent for `full`. */
  readonly budget?: number | undefined;
  /** Where the roles of ScaleKV's layers come from; absent for other policies. */
  readonly roles?: RolesFrom | undefined;
  /** How cached keys and values are stored. */
  readonly storage: StorageType;
  /** How the transformer's matrices are held. */
  readonly weights: WeightType;
  readonly images: number;
  readonly schedule: readonly ScaleSize[];
  /** Tokens of one image over all scales. */
  readonly tokens: number;
  /** Text, every scale, VAE: in the order they ran. */
  readonly stages: readonly StageReport[];
  readonly cache: CacheReport;
  /** Weights held in memory at once, at most, as the runtime stores them. */
  readonly weightsBytes: number;
  /**
   * What a layer works with beside its weights and the cache, at most, by formula: intermediate values, and dead copies
   * that wait to be collected. Undefined where the work is done in a device's own memory.
   */
  readonly workingBytes: number | undefined;
  /** Memory of the process. A browser does not tell. */
  readonly process: ProcessReport | undefined;
  /** The whole call, without loading. */
  readonly seconds: number;
}

/** Memory of the process, in bytes. */
export interface ProcessReport {
  /** The operating system's word: the most it ever held, from its start to the end of the call. */
  readonly peakBytes: number;
  /**
   * What the scales account for: resident when the first begins, and the cache and a layer's work at most on top. Loading
   * and the autoencoder may have taken more. Undefined where the work is done in a device's own memory.
   */
  readonly accountedBytes: number | undefined;
}

/** One stage of a call. */
export interface StageReport {
  /** `text`, `scale 1`, `scale 2`, …, `vae`, and `preview 1`, … where previews were asked for. */
  readonly name: string;
  /** The scale's map; absent for other stages. */
  readonly map?: ScaleSize | undefined;
  readonly seconds: number;
  /**
   * Seconds of the stage's parts, where it has such: of a scale `embedding`, `layers`, `cache` (judging, choosing and
   * moving tokens), `guidance` (between layers), `head`, `sampling` and `codes`, and of the first one `conditioning`.
   */
  readonly parts?: Readonly<Record<string, number>> | undefined;
  /** Bytes the KV cache held at the stage's end, all layers and rows. */
  readonly cacheBytes: number;
  /** Resident memory of the process at the stage's end. A browser does not tell. */
  readonly residentBytes: number | undefined;
}

/** Bytes of the KV cache, all layers and rows. */
export interface CacheReport {
  /** The most it held between layers. */
  readonly peakBytes: number;
  /** The most with a layer's new tokens beside it, before the policy chose what stays. */
  readonly duringBytes: number;
  /** What it would have held with every token of every scale but the last, in the same storage type. */
  readonly fullBytes: number;
  /** What the published code would hold for the same images: float32 keys, bfloat16 values, the last scale as well. */
  readonly publishedBytes: number;
}

/** One part of a model is loaded, `done` of `total` pieces. */
export interface LoadProgress {
  readonly stage: "load";
  readonly part: "text encoder" | "transformer";
  readonly done: number;
  readonly total: number;
}

/** One step of drawing is over. Numbers count from 1, so that the last equals the total. */
export type DrawProgress =
  | { readonly stage: "text"; readonly layer: number; readonly layers: number }
  | {
      readonly stage: "scale";
      readonly scale: number;
      readonly scales: number;
      readonly map: ScaleSize;
      readonly layer: number;
      readonly layers: number;
    }
  | { readonly stage: "vae"; readonly image: number; readonly images: number };

/** A loaded model: draws one image, or one batch of different prompts. */
export interface Draw {
  (prompts: string | readonly string[], options?: DrawOptions): Promise<DrawResult>;
  /** Frees the model's sessions and closes its files. What is under way, and later calls, reject with a `DisposedError`. */
  dispose(): Promise<void>;
}

/**
 * Loads a model. Under Node it is named as on the command line, by name, folder or transformer's file; in a browser by
 * its transformer's address, with those of the other parts in the options. Addresses are relative to the page.
 *
 * Errors: `ModelError` (unknown model, missing files, a wrong partner), `CheckpointError` (a damaged file),
 * `DeviceError` (a device that is not here), `DownloadError` (a file that cannot be fetched), `BudgetError` (a damaged calibration
 * beside the model), `OptionError`.
 *
 * @example
 * const parts = { vae: "models/tiny/vae.pth", textEncoder: "models/tiny/t5/" };
 * const draw = await pipeline("text-to-image", "models/tiny/infinity.pth", parts);
 */
export type Pipeline = (task: Task, model: string, options?: PipelineOptions) => Promise<Draw>;

/** Runs one parity case of the form found in `test/golden/cases` and writes its tensors to `out`. */
export type TraceCase = (
  model: string,
  caseFolder: string,
  out: string,
  options?: PipelineOptions,
) => Promise<TraceReport>;

/** What a traced case wrote. */
export interface TraceReport {
  /** `forced`, `greedy`, `selection` or `t5`. */
  readonly kind: string;
  /** Number of tensors in the file. */
  readonly tensors: number;
  readonly seconds: number;
}
