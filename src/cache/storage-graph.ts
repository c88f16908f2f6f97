/** How graphs read and write keys and values as they are stored; see `storage.ts`. */
import type { GraphBuilder, Value } from "../graph/builder.js";
import * as op from "../graph/ops/index.js";
import { headName, STORED_ELEMENT, type StorageType, type StoredShape } from "./storage.js";

/** Keys or values of some tokens in a graph, as they are stored. */
export interface Stored {
  /** [tokens, rows, C] of the stored element type. */
  readonly data: Value;
  /** [tokens, rows, heads] float32; int8 only. */
  readonly scale?: Value | undefined;
  /**
   * [first, rows, C] int8: what rounding to `data` left of the first {@link FINE_TOKENS} tokens, or of all there are, in parts
   * of a level; int8 only. As tokens stay in order, the first that ever came are among these for as long as they stay. Where
   * some of them left, those that took their places have zeros.
   */
  readonly fine?: Value | undefined;
  /** [tokens, rows, heads] float32, ln of how many tokens each stands for; keys of a cache that merges only. */
  readonly bias?: Value | undefined;
}

/** Below this a head counts as zeros. */
const SMALLEST = 1e-30;

/**
 * Declares a slot's cached keys or values as inputs: `past_k` [past, rows, C], for int8 `past_k_scale` and `past_k_fine`, and
 * where tokens may be merged `past_k_bias`; with the number of a `head` where that is the slot.
 */
export function storedInput(
  g: GraphBuilder,
  name: "k" | "v",
  { storage, heads, dim, merging, head }: StoredShape & { head?: number | undefined },
): Stored {
  const past = headName("past", head);
  const byHead = (what: string): Value =>
    g.input(headName(`past_${name}_${what}`, head), "float32", [past, "rows", heads]);
  const fineInput = (): Value =>
    g.input(headName(`past_${name}_fine`, head), "int8", [headName("fine", head), "rows", heads * dim]);
  return {
    data: g.input(headName(`past_${name}`, head), STORED_ELEMENT[storage], [past, "rows", heads * dim]),
    scale: storage === "int8" ? byHead("scale") : undefined,
    fine: storage === "int8" ? fineInput() : undefined,
    bias: merging && name === "k" ? byHead("bias") : undefined,
  };
}

/** int8 runs from −127 to 127, so that what differs in sign alone is stored alike. */
const INT8_MAX = 127;

/** Parts of a level that the second byte counts: rounding leaves half a level at most, so 127 of them. */
const FINE_PARTS = 2 * INT8_MAX;

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
  const { data, scale, fine } = stored;
  const values = op.Cast(g, data, "float32");
  if (!scale) return values;
  // Not by a −1: of an empty cache, as it is before the first scale, nothing tells how long that axis is.
  const byHead = op.ReshapeTo(
    g,
    fine ? addFine(g, values, fine) : values,
    op.Concat(g, [op.Shape(g, scale), g.ints([dim])], 0),
  );
  const spread = op.Mul(g, byHead, op.Unsqueeze(g, scale, [3]));
  return op.ReshapeTo(g, op.MatMul(g, spread, basis(g, dim, "out of")), op.Shape(g, data));
}

/** Levels [tokens, rows, C] of which the first are known to the second byte. */
function addFine(g: GraphBuilder, levels: Value, fine: Value): Value {
  const first = op.Slice(g, op.Shape(g, fine), 0, 0, 1);
  const parts = op.Mul(g, op.Cast(g, fine, "float32"), g.scalar(1 / FINE_PARTS));
  return op.Concat(g, [op.Add(g, op.Slice(g, levels, 0, 0, first), parts), op.Slice(g, levels, 0, first, END)], 0);
}

/** Where a slice to the end of an axis ends. */
const END = 2 ** 31 - 1;

/** Which tokens are stored to a second byte. */
export interface FinePlaces {
  /** [1], how many, from the first on; more than there are means all. */
  readonly count: Value;
  /** [count, 1, 1, 1], 1 for those whose second byte is stored, 0 for those that have zeros in its place. Default: all 1. */
  readonly known?: Value | undefined;
}

/** Narrows float32 [tokens, rows, C] to the stored form; in int8 the first of them to a second byte. */
export function narrow(g: GraphBuilder, storage: StorageType, x: Value, dim: number, fine?: FinePlaces): Stored {
  if (storage === "fp32") return { data: x };
  if (storage === "fp16") return { data: op.Cast(g, x, "float16") };
  const byHead = op.MatMul(g, op.Reshape(g, x, [0, 0, -1, dim]), basis(g, dim, "into"));
  const largest = op.ReduceMax(g, op.Abs(g, byHead), 3);
  // A head of zeros would divide by zero; any scale stores it exactly.
  const scale = op.Div(g, op.Max(g, largest, g.scalar(SMALLEST)), g.scalar(INT8_MAX));
  const exact = op.Div(g, byHead, scale);
  const levels = op.Round(g, exact);
  const stored = { data: asStored(g, levels, x), scale: op.Reshape(g, scale, [0, 0, -1]) };
  if (!fine) return stored;
  const first = (values: Value): Value => op.Slice(g, values, 0, 0, fine.count);
  const parts = op.Mul(g, op.Sub(g, first(exact), first(levels)), g.scalar(FINE_PARTS));
  return { ...stored, fine: asStored(g, op.Round(g, fine.known ? op.Mul(g, parts, fine.known) : parts), x) };
}

/** Whole numbers of some of x's tokens, by head, as int8 [tokens, rows, C]. */
function asStored(g: GraphBuilder, byHead: Value, x: Value): Value {
  const tokens = op.Slice(g, op.Shape(g, byHead), 0, 0, 1);
  const shape = op.Concat(g, [tokens, op.Slice(g, op.Shape(g, x), 0, 1, 3)], 0);
  return op.ReshapeTo(g, op.Cast(g, byHead, "int8"), shape);
}
