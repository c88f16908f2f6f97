/** What the parts of a transformer block's graph have in common. */
import type { StoredTensor } from "../../checkpoint/tensor.js";
import type { GraphBuilder, Matrix, Value } from "../../graph/builder.js";
import * as op from "../../graph/ops/index.js";
import type { Stored } from "../../cache/storage-graph.js";
import type { StorageType } from "../../cache/storage.js";
import type { InfinityConfig } from "./config.js";

/** Heads whose caches are equally long, and so can attend in one operator. */
export interface Slot {
  /** Its number, if it is a single head. */
  readonly head: number | undefined;
  readonly heads: number;
}

/** What every part of the block needs. */
export interface Block {
  readonly g: GraphBuilder;
  readonly config: InfinityConfig;
  readonly storage: StorageType;
  readonly merging: boolean;
  /** The type in which self-attention takes queries, keys and values, and gives what it read. */
  readonly attention: "float32" | "float16";
  /** Heads that share a length of cache: all, or each by itself. */
  readonly slots: readonly Slot[];
  /** A tensor of this block by the rest of its name. */
  readonly stored: (name: string) => StoredTensor;
  readonly weight: (name: string) => Value;
  readonly matrix: (name: string) => Matrix;
}

/** Keys or values of one slot. */
export interface SlotTokens {
  readonly heads: number;
  /** The cached ones as they are stored, [past, rows, heads · dim]. */
  readonly past: Stored;
  /** The scale's own, [tokens, rows, heads · dim]. */
  readonly own: Value;
}

/** The channels [rows, tokens, C] of each slot. */
export function bySlot({ g, config, slots }: Block, x: Value): Value[] {
  const dim = config.width / config.heads;
  if (slots.length === 1) return [x];
  return slots.map((_, head) => op.Slice(g, x, 2, head * dim, (head + 1) * dim));
}
