/**
 * How keys and values are stored. Whatever the type, layers compute in float32: the stored form is widened inside the
 * graph that reads it and narrowed inside the graph that writes it, so the cache exists in its narrow form only.
 */
import { CACHE_LAYOUTS, tokenBytes, type StorageType } from "../budget/memory.js";
import type { GraphBuilder, Value } from "../graph/builder.js";
import type { ElementType } from "../graph/model.js";
import * as op from "../graph/ops/index.js";

export { STORAGE_TYPES, type StorageType } from "../budget/memory.js";

/** The element type of a stored array. */
export const STORED_ELEMENT: Readonly<Record<StorageType, ElementType>> = {
  fp32: "float32",
  fp16: "float16",
  int8: "int8",
};

/** Bytes that one token takes in one layer and row: keys and values of `heads` heads of `dim` channels, and their scales. */
export function bytesPerToken(storage: StorageType, heads: number, dim: number): number {
  return tokenBytes({ width: heads * dim, heads, rows: 1 }, CACHE_LAYOUTS[storage]);
}

/** Keys or values of some tokens in a graph, as they are stored. */
export interface Stored {
  /** [tokens, rows, C] of the stored element type. */
  readonly data: Value;
  /** [tokens, rows, heads] float32; int8 only. */
  readonly scale?: Value | undefined;
  /** [tokens, rows, heads] float32, ln of how many tokens each stands for; keys of a cache that merges only. */
  readonly bias?: Value | undefined;
}

/** What tells how a slot's tokens lie in its cache. */
export interface StoredShape {
  readonly storage: StorageType;
  readonly heads: number;
  readonly dim: number;
  /** Cached tokens may stand for several. Default false. */
  readonly merging?: boolean | undefined;
}

/** Below this a head counts as zeros. */
const SMALLEST = 1e-30;

/**
 * Declares a slot's cached keys or values as inputs: `past_k` [past, rows, C], for int8 `past_k_scale`, and where tokens
 * may be merged `past_k_bias`; with the number of a `head` where that is the slot.
 */
export function storedInput(
  g: GraphBuilder,
  name: "k" | "v",
  { storage, heads, dim, merging, head }: StoredShape & { head?: number | undefined },
): Stored {
  const past = headName("past", head);
  const byHead = (what: string): Value =>
    g.input(headName(`past_${name}_${what}`, head), "float32", [past, "rows", heads]);
  return {
    data: g.input(headName(`past_${name}`, head), STORED_ELEMENT[storage], [past, "rows", heads * dim]),
    scale: storage === "int8" ? byHead("scale") : undefined,
    bias: merging && name === "k" ? byHead("bias") : undefined,
  };
}

/** The name of a head's tensor, such as `past_k.3`; of a whole layer's, where `head` is undefined, the bare name. */
export function headName(name: string, head: number | undefined): string {
  return head === undefined ? name : `${name}.${head}`;
}

/** int8 runs from −127 to 127, so that what differs in sign alone is stored alike. */
const INT8_MAX = 127;

/**
 * An orthonormal basis, [dim, dim], in which int8 stores a head's channels: the cosines of the DCT-II, with signs that
 * follow no pattern. A channel much larger than the others would set the scale for all of them; spread over the whole
 * basis it does not, and keys are off by a third less (docs/LOG.md). The same idea, with Hadamard matrices, is in QuaRot
 * (arXiv 2404.00456).
 */
export function spreadBasis(dim: number): Float32Array {
  const sign = (channel: number): number => (Math.imul(channel + 1, 0x9e3779b1) < 0 ? -1 : 1);
  const cosine = (channel: number, wave: number): number =>
    Math.sqrt((wave === 0 ? 1 : 2) / dim) * Math.cos((Math.PI / dim) * (channel + 1 / 2) * wave);
  return Float32Array.from({ length: dim * dim }, (_, i) => {
    const [channel, wave] = [Math.floor(i / dim), i % dim];
    return sign(channel) * cosine(channel, wave);
  });
}

/** What channels are multiplied by: into the basis, or transposed out of it. */
function basis(g: GraphBuilder, dim: number, way: "into" | "out of"): Value {
  const matrix = (): Float32Array => {
    const into = spreadBasis(dim);
    return way === "into" ? into : into.map((_, i) => into[(i % dim) * dim + Math.floor(i / dim)]!);
  };
  return g.shared(`${way} the basis of ${dim}`, () => g.constant("float32", [dim, dim], matrix()));
}

/** Widens to float32 [tokens, rows, C], or where float16 is wanted to that. */
export function widen(
  g: GraphBuilder,
  storage: StorageType,
  stored: Stored,
  dim: number,
  wanted: "float32" | "float16" = "float32",
): Value {
  if (STORED_ELEMENT[storage] === wanted) return stored.data;
  if (wanted === "float16") return op.Cast(g, widen(g, storage, stored, dim), wanted);
  const { data, scale } = stored;
  const values = op.Cast(g, data, "float32");
  if (!scale) return values;
  // Not by a −1: of an empty cache, as it is before the first scale, nothing tells how long that axis is.
  const byHead = op.ReshapeTo(g, values, op.Concat(g, [op.Shape(g, scale), g.ints([dim])], 0));
  const spread = op.Mul(g, byHead, op.Unsqueeze(g, scale, [3]));
  return op.ReshapeTo(g, op.MatMul(g, spread, basis(g, dim, "out of")), op.Shape(g, data));
}

/** Narrows float32 [tokens, rows, C] to the stored form. */
export function narrow(g: GraphBuilder, storage: StorageType, x: Value, dim: number): Stored {
  if (storage === "fp32") return { data: x };
  if (storage === "fp16") return { data: op.Cast(g, x, "float16") };
  const byHead = op.MatMul(g, op.Reshape(g, x, [0, 0, -1, dim]), basis(g, dim, "into"));
  const largest = op.ReduceMax(g, op.Abs(g, byHead), 3);
  // A head of zeros would divide by zero; any scale stores it exactly.
  const scale = op.Div(g, op.Max(g, largest, g.scalar(SMALLEST)), g.scalar(INT8_MAX));
  const levels = op.Cast(g, op.Round(g, op.Div(g, byHead, scale)), "int8");
  return { data: op.ReshapeTo(g, levels, op.Shape(g, x)), scale: op.Reshape(g, scale, [0, 0, -1]) };
}
