/**
 * The T5 encoder: token ids in, the last hidden state out.
 *
 * One session a layer. FLAN-T5 XL's 24 layers take 4.6 GB as float32 and serve one pass before a whole image, so they
 * can be streamed: each is loaded, run over every text of the call and released before the next one.
 * Each text runs alone and without padding, so that its features never depend on the texts beside it.
 */
import { readFloat32, readRows } from "../../checkpoint/read.js";
import { ModelError, OptionError } from "../../errors.js";
import type { Device } from "../../runtime/device.js";
import { Session } from "../../runtime/session.js";
import { float32, values, type Tensor } from "../../runtime/tensor.js";
import type { Tensors } from "../manifest.js";
import { t5LayerBytes, type T5Config } from "./config.js";
import { buildT5Layer } from "./graph.js";
import { checkBuckets, positionBias } from "./position-bias.js";
import { t5Weights, type T5Weights } from "./weights.js";

/** How the encoder is loaded. */
export interface T5Options {
  readonly device: Device;
  /** Threads inside one operator on the CPU; default: ONNX Runtime's own. */
  readonly threads?: number | undefined;
  /** ONNX Runtime's profiles are written to files whose paths begin with this. */
  readonly profile?: string | undefined;
  /** True: a layer is loaded when its turn comes and released after it. False: all layers are loaded once and kept. */
  readonly stream: boolean;
  /** Stops loading; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called for each loaded layer, `done` from 1 to `total`; never with `stream`. */
  readonly onLoad?: ((done: number, total: number) => void) | undefined;
}

/** How one call runs. */
export interface EncodeOptions {
  /** Looked at before every layer; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each layer has run over all texts, `layer` from 1 to `layers`. */
  readonly onLayer?: ((layer: number, layers: number) => void) | undefined;
}

/** A T5 encoder over an open checkpoint; the checkpoint stays the caller's and must outlive it. */
export class T5Encoder {
  private constructor(
    readonly config: T5Config,
    private readonly file: string,
    private readonly weights: T5Weights,
    /** The first block's table, [relativeBuckets, heads]. */
    private readonly relativeBias: Float32Array,
    private readonly options: T5Options,
    /** All layers' sessions; undefined when they are streamed. */
    private resident: Session[] | undefined,
  ) {}

  /**
   * Checks the weights against the configuration and, unless they are streamed, loads all layers.
   *
   * Errors: `ModelError` where tensors and configuration do not fit, `DeviceError` where the device refuses a graph.
   */
  static async create(
    config: T5Config,
    { path, tensors }: { readonly path: string; readonly tensors: Tensors },
    options: T5Options,
  ): Promise<T5Encoder> {
    checkBuckets(config, path);
    const weights = t5Weights(config, tensors, path);
    const relativeBias = await readFloat32(weights.relativeBias);
    const encoder = new T5Encoder(config, path, weights, relativeBias, options, undefined);
    if (!options.stream) await encoder.loadAll();
    return encoder;
  }

  /** Bytes of weights in memory at once, float32 as the runtime holds them: one layer when streamed, else all. */
  get weightsBytes(): number {
    return t5LayerBytes(this.config) * (this.options.stream ? 1 : this.config.layers);
  }

  /** Features of one text, [ids.length, width]. See {@link encodeAll}. */
  async encode(ids: readonly number[], options?: EncodeOptions): Promise<Float32Array> {
    const [features] = await this.encodeAll([ids], options);
    return features!;
  }

  /**
   * Features of several texts, each [ids.length, width]; a layer runs over all of them before the next is loaded.
   *
   * Errors: `OptionError` for a text without tokens, `ModelError` for an id outside the vocabulary.
   */
  async encodeAll(texts: readonly (readonly number[])[], options: EncodeOptions = {}): Promise<Float32Array[]> {
    for (const ids of texts) this.checkIds(ids);
    const { layers } = this.config;
    const biases = this.positionBiases(texts);
    const states = await Promise.all(texts.map((ids) => this.embed(ids)));
    for (let layer = 0; layer < layers; layer++) {
      options.signal?.throwIfAborted();
      await this.withLayer(layer, async (session) => {
        for (const [i, x] of states.entries()) {
          const { y } = await session.run({ x, position_bias: biases.get(x.dims[0]!)! });
          states[i] = y!;
        }
      });
      options.onLayer?.(layer + 1, layers);
    }
    return states.map(values);
  }

  /** Frees the layers; the encoder cannot be used after that. */
  async dispose(): Promise<void> {
    const sessions = this.resident ?? [];
    this.resident = [];
    for (const session of sessions) await session.dispose();
  }

  private async loadAll(): Promise<void> {
    const { signal, onLoad } = this.options;
    this.resident = [];
    try {
      for (let layer = 0; layer < this.config.layers; layer++) {
        signal?.throwIfAborted();
        this.resident.push(await this.load(layer));
        onLoad?.(layer + 1, this.config.layers);
      }
    } catch (error) {
      await this.dispose();
      throw error;
    }
  }

  private async load(layer: number): Promise<Session> {
    // Laying matrices out anew was 5.7 of the 8 s in which FLAN-T5 XL, streamed, read one text (docs/LOG.md, 2026-11-28).
    return Session.create(await buildT5Layer(this.config, this.weights, layer), { ...this.options, packs: false });
  }

  /** Runs `work` with a layer's session, releasing it afterwards where layers are streamed. */
  private async withLayer(layer: number, work: (session: Session) => Promise<void>): Promise<void> {
    if (this.resident) {
      const session = this.resident[layer];
      if (!session) throw new Error("the text encoder was used after it was disposed");
      return work(session);
    }
    const session = await this.load(layer);
    try {
      await work(session);
    } finally {
      await session.dispose();
    }
  }

  private checkIds(ids: readonly number[]): void {
    if (ids.length === 0) throw new OptionError("text: no tokens, where even an empty text has the final </s>");
    const { vocabulary } = this.config;
    const stray = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
    if (stray !== undefined) {
      const limit = `outside the vocabulary of ${vocabulary}; is the tokenizer another model's?`;
      throw new ModelError(`${this.file}: token ${stray} is ${limit}`);
    }
  }

  /** The bias of every length that occurs, [heads, length, length]; texts of one length share it. */
  private positionBiases(texts: readonly (readonly number[])[]): Map<number, Tensor> {
    const { config, relativeBias } = this;
    const lengths = new Set(texts.map((ids) => ids.length));
    return new Map(
      [...lengths].map((length) => {
        const bias = positionBias(relativeBias, config, length);
        return [length, float32(bias, [config.heads, length, length])];
      }),
    );
  }

  /** A text's rows of the embedding, [ids.length, width]; the rest of it is never read. */
  private async embed(ids: readonly number[]): Promise<Tensor> {
    return float32(await readRows(this.weights.embedding, ids), [ids.length, this.config.width]);
  }
}
