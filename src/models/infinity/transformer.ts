/**
 * The Infinity transformer at work: its layers (`host-layer.ts`, `device-layer.ts`) and the small graphs around them. It knows
 * how to run a scale through a layer; what is drawn, and when to guide, is the generation loop's business.
 */
import { Committer } from "../../cache/committer.js";
import { DeviceCache } from "../../cache/device-cache.js";
import { HostCache } from "../../cache/host-cache.js";
import { HeadwiseCache } from "../../cache/headwise-cache.js";
import type { KeptPositions, KvCache } from "../../cache/kv-cache.js";
import { full } from "../../cache/policies/full.js";
import { byHead, type CacheRun, type Plan } from "../../cache/policy.js";
import type { StorageType } from "../../cache/storage.js";
import { WatchingCache } from "../../cache/watching-cache.js";
import type { WeightsStore } from "../../graph/externals.js";
import type { GraphModel, WeightType } from "../../graph/model.js";
import { OptionError } from "../../errors.js";
import type { Clock } from "../../runtime/clock.js";
import { keepsOutputs } from "../../runtime/device.js";
import { disposeAll, type Owner } from "../../runtime/dispose.js";
import { probeTarget, requireHalves } from "../../runtime/probe.js";
import { Session, type SessionOptions, type Tensors } from "../../runtime/session.js";
import { discard, float32, int64, values, type Tensor } from "../../runtime/tensor.js";
import { buildConditioning } from "./conditioning.js";
import type { InfinityConfig } from "./config.js";
import { DeviceLayer } from "./device-layer.js";
import { buildEmbedding, buildGuidance, buildHead } from "./ends.js";
import { HostLayer, StateMemory } from "./host-layer.js";
import { buildLayer, buildLayerHalves, type LayerFeeds } from "./layer.js";
import type { Lookup } from "../lookup.js";
import { MOST_BOUND_BYTES } from "./pieces.js";
import type { RotaryTables } from "./rope.js";
import { holdsScores } from "./self-attention.js";
import type { TextCondition, TextRows } from "./text.js";
import { layerWorkingBytes } from "./working-memory.js";

/** What is the same for every layer of one scale. */
export interface ScaleContext {
  readonly text: TextRows;
  /** Tokens of the scale's map. */
  readonly tokens: number;
  readonly rotary: RotaryTables;
  readonly cache: KvCache;
  /** Number of the scale, from 0. */
  readonly scale: number;
  /** Whether the cache takes this scale's tokens. */
  readonly remember: boolean;
  /** Takes the time that the cache does. */
  readonly time: Clock;
}

/** How a transformer is loaded. */
export interface TransformerOptions extends SessionOptions {
  /** How cached keys and values are stored. Default `fp32`. */
  readonly storage?: StorageType | undefined;
  /** Heads can keep different numbers of tokens, at some cost in time. Default false. */
  readonly headwise?: boolean | undefined;
  /** Cached tokens can stand for several, at a small cost in time. Default false. */
  readonly merging?: boolean | undefined;
  /** How the large matrices are held. Default `fp32`. */
  readonly weights?: WeightType | undefined;
  /** Keeps what matrices are cut into from one run to the next. Default: they are made anew. */
  readonly store?: WeightsStore | undefined;
}

/** What a layer gives. */
export interface LayerResult {
  /** The hidden state [rows, tokens, C]. */
  readonly y: Tensor;
  /** The cached positions that stay, where a choice was made and the host knows it. */
  readonly kept: KeptPositions | undefined;
}

/** A loaded transformer; `dispose` gives its memory back. */
export class Transformer {
  private constructor(
    readonly config: InfinityConfig,
    /** How its large matrices are held. */
    readonly weights: WeightType,
    /** Hidden states and caches stay in device memory between runs. */
    readonly onDevice: boolean,
    private readonly conditioning: Session,
    private readonly embedding: Session,
    private readonly guidance: Session,
    private readonly layers: readonly (HostLayer | DeviceLayer)[],
    private readonly head: Session,
    private readonly committer: Committer,
    private readonly headwise: boolean,
    private readonly memory: StateMemory,
  ) {}

  /** Builds and loads all graphs, telling `onPiece` after each. An unusable device, or one without what the options ask for, is a `DeviceError`. */
  static async load(
    config: InfinityConfig,
    lookup: Lookup,
    { storage = "fp32", headwise = false, merging = false, weights = "fp32", store, ...options }: TransformerOptions,
    onPiece: (done: number, total: number) => void = () => undefined,
  ): Promise<Transformer> {
    const onDevice = keepsOutputs(options.device);
    const resident = { ...options, outputs: onDevice ? ("gpu-buffer" as const) : ("cpu" as const) };
    const target = await probeTarget(options.device, weights);
    if (storage === "fp16" && options.device === "webgpu") requireHalves(target, "storage fp16", "fp32 and int8");
    // Float matrices lie in the checkpoint as the graphs want them, or are cast when they are loaded.
    const blocks = weights === "fp32" || weights === "fp16" ? undefined : store;
    const memory = new StateMemory();
    const loaded: Owner[] = [];
    const told = <T extends Owner>(piece: T): T => {
      onPiece(loaded.push(piece), config.depth + 4);
      return piece;
    };
    const load = async (graph: Promise<GraphModel>, where: SessionOptions): Promise<Session> =>
      told(await Session.create(await graph, where));
    const layerOptions = { storage, target, headwise, merging, weights, store: blocks };
    const loadLayer = async (layer: number): Promise<HostLayer | DeviceLayer> => {
      if (target.loops) {
        const graph = await buildLayer(config, lookup, layer, layerOptions);
        return new HostLayer(config, await Session.create(graph, resident), memory);
      }
      const halves = await buildLayerHalves(config, lookup, layer, layerOptions);
      return DeviceLayer.load(config, halves, holdsScores(config, layerOptions), resident);
    };
    try {
      // It runs once for a text; blocks, though, need their own order to be multiplied as integers.
      const once = { ...options, packs: weights !== "fp32" };
      const conditioning = await load(buildConditioning(config, lookup, target, weights, blocks), once);
      const embedding = await load(buildEmbedding(config, lookup, target), resident);
      const guidance = await load(buildGuidance(config), resident);
      const layers: (HostLayer | DeviceLayer)[] = [];
      for (let layer = 0; layer < config.depth; layer++) layers.push(told(await loadLayer(layer)));
      const head = await load(buildHead(config, lookup, target), options);
      const slot = { heads: headwise ? 1 : config.heads, dim: config.width / config.heads, storage, merging };
      const committer = new Committer({ ...slot, target }, resident);
      const graphs = [conditioning, embedding, guidance, layers, head, committer] as const;
      return new Transformer(config, weights, onDevice, ...graphs, headwise, memory);
    } catch (error) {
      await Promise.allSettled(loaded.map((piece) => piece.dispose()));
      throw error;
    }
  }

  /** What one text means: `features` [tokens, textChannels] of the text encoder. */
  async condition(features: Float32Array): Promise<TextCondition> {
    const tokens = features.length / this.config.textChannels;
    const outputs = await this.conditioning.run({ features: float32(features, [1, tokens, this.config.textChannels]) });
    return { tokens, outputs };
  }

  /** The hidden state [rows, tokens, C] of a scale but the first, from `codes` [rows, tokens, bits]. */
  async embed(codes: Float32Array, rows: number, tokens: number, scale: number): Promise<Tensor> {
    const feeds = { codes: float32(codes, [rows, tokens, this.config.bits]), level: int64([scale], [1]) };
    return (await this.embedding.run(feeds)).x!;
  }

  /**
   * A cache for one batch of `rows` rows under a plan.
   *
   * @throws OptionError for a plan that these layers cannot read, see {@link requireLayersFor}
   */
  makeCache(rows: number, plan: Plan): KvCache {
    this.requireLayersFor(plan);
    const { committer, headwise, config } = this;
    const shape = { ...committer.shape, rows, plan: headwise ? byHead(plan, config.heads) : plan };
    const Cache = this.onDevice ? DeviceCache : HostCache;
    if (!headwise) return new Cache(shape, committer);
    return new HeadwiseCache(new Cache({ ...shape, together: config.heads }, committer), config.heads);
  }

  /** Refuses, by an OptionError, a plan that treats heads apart or merges tokens, if this was not loaded for such. */
  requireLayersFor({ headwise, scoring }: Plan): void {
    if (headwise && !this.headwise)
      throw new OptionError("policy: treats heads apart, so it must be named when the model is loaded");
    if (scoring?.merge !== undefined && !this.committer.shape.merging)
      throw new OptionError("policy: merges tokens, so it must be named when the model is loaded");
  }

  /**
   * What a layer works with at most under a plan whose last map, of which nothing is kept, has `last` tokens; beside
   * weights and cache, see `working-memory.ts`. Undefined on a device, which works in memory of its own.
   */
  workingBytes(rows: number, { fresh, lengths }: Plan, last: number): number | undefined {
    if (!this.committer.shape.target.loops) return undefined;
    const mean = (slots: readonly number[]): number => slots.reduce((sum, tokens) => sum + tokens, 0) / slots.length;
    const scales = [...fresh, last].map((tokens, scale) => ({ rows, tokens, past: mean(lengths[scale - 1] ?? [0]) }));
    return Math.max(...scales.map((scale) => layerWorkingBytes(this.config, scale)));
  }

  /**
   * Refuses a batch whose state on a device not every adapter could bind; `rows` and `tokens` of its largest map.
   *
   * @throws OptionError which says how many images could be drawn at once
   */
  requireRoom(images: number, rows: number, tokens: number): void {
    const bytes = rows * tokens * this.config.width * Float32Array.BYTES_PER_ELEMENT;
    if (!this.onDevice || bytes <= MOST_BOUND_BYTES) return;
    const most = Math.floor((images * MOST_BOUND_BYTES) / bytes);
    const mebibytes = (of: number): string => `${Math.ceil(of / 2 ** 20)} MiB`;
    throw new OptionError(
      `${images} images of ${tokens} tokens at once: a state of ${mebibytes(bytes)}, of which webgpu takes ` +
        `${mebibytes(MOST_BOUND_BYTES)}; draw ${most > 0 ? `at most ${most} at once` : "smaller ones"}`,
    );
  }

  /** A cache that keeps everything and measures how it is read; for host caches in float32 only. */
  makeWatchingCache(rows: number, run: CacheRun): WatchingCache {
    return new WatchingCache(this.makeCache(rows, full.plan(run)), this.committer, { ...run, rows });
  }

  /** Runs one layer and commits its new keys and values to the cache; `x` [rows, tokens, C] is consumed, even by a failure on a device. */
  async layer(layer: number, x: Tensor, context: ScaleContext): Promise<LayerResult> {
    const { cache, scale, remember, time } = context;
    const places = remember ? cache.outputs(layer, scale) : undefined;
    const { y, ...made } = await this.layers[layer]!.run(x, this.layerFeeds(layer, context), places);
    try {
      return { y: y!, kept: remember ? await time("cache", () => cache.commit(layer, scale, made)) : undefined };
    } catch (error) {
      if (this.onDevice) y!.dispose();
      throw error;
    } finally {
      if (this.onDevice) Object.values(made).forEach((tensor) => tensor.dispose());
    }
  }

  private layerFeeds(layer: number, { text, tokens, rotary, cache, scale }: ScaleContext): LayerFeeds {
    const angles = [tokens, this.config.width / this.config.heads / 2];
    const { k, v } = text.layers[layer]!;
    const bounds = this.committer.shape.target.loops
      ? { text_starts: text.starts, text_ends: text.ends }
      : { text_bias: text.bias };
    return {
      modulation: text.modulation,
      making: {
        ...cache.feeds(layer, scale),
        cos: float32(rotary.cos, angles),
        sin: float32(rotary.sin, angles),
      },
      reading: { text_k: k, text_v: v, ...bounds },
    };
  }

  /** Does the work that reads a state last, and frees it. */
  private async consume(x: Tensor, work: () => Promise<Tensors>): Promise<Tensors> {
    try {
      return await work();
    } finally {
      discard(x);
    }
  }

  /** Guidance on the hidden state: both halves of `x` [2 · batch, tokens, C], which is consumed, become their guided mix. */
  async guide(x: Tensor, guidance: number): Promise<Tensor> {
    const feeds = { x, guidance: float32(Float32Array.of(guidance), []) };
    return (await this.consume(x, () => this.guidance.run(feeds))).y!;
  }

  /** Logits [rows, tokens, 2 · bits] of the rows; `x` is consumed. */
  async logits(x: Tensor, { headModulation }: TextRows): Promise<Float32Array> {
    this.memory.clear();
    const { logits } = await this.consume(x, () => this.head.run({ x, modulation: headModulation }));
    return values(logits!);
  }

  /** Gives back what was kept for the next layer's state, which a drawing that was given up leaves behind. */
  clearMemory(): void {
    this.memory.clear();
  }

  /** Bytes of all weights in memory. */
  get weightBytes(): number {
    return this.sessions.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
  }

  /** Frees all sessions. */
  async dispose(): Promise<void> {
    await disposeAll([this.committer, ...this.sessions]);
  }

  private get sessions(): (Session | HostLayer | DeviceLayer)[] {
    return [this.conditioning, this.embedding, this.guidance, ...this.layers, this.head];
  }
}
