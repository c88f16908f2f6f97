/**
 * The KV cache of one batch, as the transformer sees it. It has one owner, who disposes of it; it holds what its plan
 * says and nothing else, and counts every byte. Two kinds: on the host (`host-cache.ts`) and in device memory
 * (`device-cache.ts`). Cached keys are normalised and rotated.
 */
import type { Tensors } from "../runtime/session.js";
import { float32, type Tensor } from "../runtime/tensor.js";
import type { Plan } from "./policy.js";
import { bytesOfFine, bytesPerToken, fineKnown, type StorageType } from "./storage.js";

/** Sizes of a cache. */
export interface CacheShape {
  /** Sequences side by side: the batch, twice with guidance. */
  readonly rows: number;
  /** Heads of a slot. */
  readonly heads: number;
  /** Channels of a head. */
  readonly dim: number;
  readonly storage: StorageType;
  /** What happens to every slot after every scale but the last, after which nothing is kept. */
  readonly plan: Plan;
  /** Slots whose new tokens come from one run of a graph: the heads of a layer, where they are slots. Default 1. */
  readonly together?: number | undefined;
  /** Tokens may stand for several, and say for how many. Default false. */
  readonly merging?: boolean | undefined;
}

/**
 * What stays of a layer after a scale: sorted positions of every lane, numbered row · heads + head; undefined for a lane
 * that keeps everything.
 */
export type KeptPositions = readonly (readonly number[] | undefined)[];

/**
 * A cache under way; scales come in order, and within a scale the layers. The transformer sees layers; where heads are
 * slots, `HeadwiseCache` stands between it and a cache whose "layers" are heads.
 */
export interface KvCache {
  /** How many scales it takes the tokens of: all but the last, on which none looks back. */
  readonly scales: number;
  /** The inputs of a layer's graph that the cache provides: `past_k`, `past_v`, what belongs to them, `observers`. */
  feeds(layer: number, scale: number): Tensors;
  /**
   * Where the layer's graph writes what the cache takes from it; undefined where the device allocates all outputs. Asked for
   * before the scale's `feeds`, since it may move what is cached.
   */
  outputs(layer: number, scale: number): Readonly<Record<string, Tensor | null>> | undefined;
  /** Takes the graph's outputs and keeps of old and new tokens what the plan says. */
  commit(layer: number, scale: number, outputs: Tensors): Promise<KeptPositions | undefined>;
  /** Bytes of the tokens held now, all layers. */
  readonly bytes: number;
  /** The most they ever took, and the most with the new tokens of the layer at work beside them, in float32. */
  readonly peak: CachePeak;
  /** Frees everything. */
  dispose(): void;
}

/** The most memory a cache took, in bytes. */
export interface CachePeak {
  /** Between layers. */
  readonly held: number;
  /** While a layer's new tokens lay beside it. */
  readonly during: number;
}

/** Counts what a cache holds. */
export class CacheAccount {
  private readonly tokens: number[];
  private held = 0;
  private peakHeld = 0;
  private peakDuring = 0;

  constructor(private readonly shape: CacheShape) {
    this.tokens = new Array<number>(shape.plan.lengths[0]?.length ?? 0).fill(0);
  }

  /** A slot had `fresh` new tokens beside it and holds `tokens` from now on. */
  record(slot: number, fresh: number, tokens: number): void {
    const { rows, heads, dim, together = 1 } = this.shape;
    const waiting = together - (slot % together);
    const during = this.held + waiting * rows * fresh * bytesPerToken("fp32", heads, dim);
    this.held += rows * (heldBytes(this.shape, tokens) - heldBytes(this.shape, this.tokens[slot] ?? 0));
    this.tokens[slot] = tokens;
    this.peakHeld = Math.max(this.peakHeld, this.held);
    this.peakDuring = Math.max(this.peakDuring, during, this.held);
  }

  get bytes(): number {
    return this.held;
  }

  get peak(): CachePeak {
    return { held: this.peakHeld, during: this.peakDuring };
  }

  /** Nothing is held any more. */
  clear(): void {
    this.held = 0;
    this.tokens.fill(0);
  }
}

/**
 * Bytes that a slot's tokens take in one row: keys and values and, by head, their scores where scores add up, and for how
 * many each stands where tokens are merged.
 */
export function heldBytes(
  { storage, heads, dim, plan, merging }: Pick<CacheShape, "storage" | "heads" | "dim" | "plan" | "merging">,
  tokens: number,
): number {
  const numbers = (plan.scoring?.cumulative ? 1 : 0) + (merging ? 1 : 0);
  const each = bytesPerToken(storage, heads, dim) + heads * numbers * Float32Array.BYTES_PER_ELEMENT;
  return tokens * each + bytesOfFine(storage, heads, dim, tokens);
}

/** What commit graphs of an int8 cache have to know of a scale's tokens: `new_fine`, which of them have a second byte. */
export function fineFeeds({ storage, plan }: CacheShape, slot: number, scale: number): Tensors {
  if (storage !== "int8") return {};
  const before = plan.fresh.slice(0, scale).reduce((sum, fresh) => sum + fresh, 0);
  const known = fineKnown(plan.lengths[scale - 1]?.[slot] ?? 0, before, plan.fresh[scale]!);
  return { new_fine: float32(known, [known.length, 1, 1, 1]) };
}
