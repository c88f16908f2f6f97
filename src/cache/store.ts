/**
 * The KV cache's one owner. It holds every layer's keys and values, hands them to the layer's graph as views, takes the
 * new tokens back in place, counts every byte and frees all at once. Cached keys are normalised and rotated.
 *
 * Two stores: on the host each layer is one growing array that the graph reads and extends in place; on a device the
 * graph returns the whole cache as a device tensor, which replaces the old one.
 */
import { float32, type Tensor } from "../runtime/tensor.js";

/** Keys and values of one layer, [tokens, rows, C] each. */
export interface KeysAndValues {
  readonly k: Tensor;
  readonly v: Tensor;
}

/** What the transformer needs of a cache. */
export interface CacheStore {
  /** What the layer's graph must return: only the new tokens, or the whole cache. */
  readonly output: "new" | "all";
  /** The cached tokens of a layer; the views are valid until the next `accept` of that layer. */
  past(layer: number): KeysAndValues;
  /** Where a graph on the host writes `tokens` new tokens' keys and values; a device allocates by itself. */
  targets(layer: number, tokens: number): KeysAndValues | undefined;
  /** Takes what the graph wrote for `tokens` new tokens of a layer. */
  accept(layer: number, tokens: number, written: KeysAndValues): void;
  /** Bytes that cached tokens take now, all layers. */
  readonly bytes: number;
  /** The most they ever took. */
  readonly peakBytes: number;
  /** Frees everything. */
  dispose(): void;
}

/** Sizes of a cache. */
export interface CacheShape {
  readonly layers: number;
  /** Sequences side by side: the batch, twice with guidance. */
  readonly rows: number;
  /** Channels C of a key or value, all heads. */
  readonly width: number;
  /** The most tokens a layer will hold. */
  readonly capacity: number;
}

/** Bytes of the keys and values of `tokens` tokens in every layer, as float32. */
export function cacheBytes({ layers, rows, width }: Omit<CacheShape, "capacity">, tokens: number): number {
  return layers * tokens * rows * width * 2 * Float32Array.BYTES_PER_ELEMENT;
}

interface HostLayer {
  readonly k: Float32Array;
  readonly v: Float32Array;
  tokens: number;
}

/** A cache in the process's own memory, allocated once at its full capacity. */
export class HostStore implements CacheStore {
  readonly output = "new";
  private layers: HostLayer[];
  private readonly token: number;
  private held = 0;
  peakBytes = 0;

  constructor(private readonly shape: CacheShape) {
    this.token = shape.rows * shape.width;
    this.layers = Array.from({ length: shape.layers }, () => ({
      k: new Float32Array(shape.capacity * this.token),
      v: new Float32Array(shape.capacity * this.token),
      tokens: 0,
    }));
  }

  past(layer: number): KeysAndValues {
    const { k, v, tokens } = this.layers[layer]!;
    return { k: this.view(k, 0, tokens), v: this.view(v, 0, tokens) };
  }

  targets(layer: number, tokens: number): KeysAndValues {
    const { k, v, tokens: past } = this.layers[layer]!;
    if (past + tokens > this.shape.capacity) {
      throw new RangeError(`layer ${layer}: ${past} + ${tokens} tokens exceed the cache's ${this.shape.capacity}`);
    }
    return { k: this.view(k, past, tokens), v: this.view(v, past, tokens) };
  }

  accept(layer: number, tokens: number): void {
    this.layers[layer]!.tokens += tokens;
    this.held += tokens * this.token * 2 * Float32Array.BYTES_PER_ELEMENT;
    this.peakBytes = Math.max(this.peakBytes, this.held);
  }

  get bytes(): number {
    return this.held;
  }

  dispose(): void {
    this.layers = [];
    this.held = 0;
  }

  /** Tokens `start` to `start + tokens` of a layer's array, [tokens, rows, C]. */
  private view(array: Float32Array, start: number, tokens: number): Tensor {
    const { rows, width } = this.shape;
    return float32(array.subarray(start * this.token, (start + tokens) * this.token), [tokens, rows, width]);
  }
}

/** A cache that stays in device memory, tensor by tensor. */
export class DeviceStore implements CacheStore {
  readonly output = "all";
  private layers: KeysAndValues[];
  private held = 0;
  peakBytes = 0;

  constructor({ layers, rows, width }: Omit<CacheShape, "capacity">) {
    const none = (): Tensor => float32(new Float32Array(0), [0, rows, width]);
    this.layers = Array.from({ length: layers }, () => ({ k: none(), v: none() }));
  }

  past(layer: number): KeysAndValues {
    return this.layers[layer]!;
  }

  targets(): undefined {
    return undefined;
  }

  accept(layer: number, _tokens: number, written: KeysAndValues): void {
    const old = this.layers[layer]!;
    this.held += size(written) - size(old);
    this.peakBytes = Math.max(this.peakBytes, this.held);
    this.layers[layer] = written;
    free(old);
  }

  get bytes(): number {
    return this.held;
  }

  dispose(): void {
    this.layers.forEach(free);
    this.layers = [];
    this.held = 0;
  }
}

function size({ k, v }: KeysAndValues): number {
  return (k.size + v.size) * Float32Array.BYTES_PER_ELEMENT;
}

function free({ k, v }: KeysAndValues): void {
  k.dispose();
  v.dispose();
}
