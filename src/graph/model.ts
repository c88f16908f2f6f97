/** A finished graph and the vocabulary it is written in. */
import type { StoredTensor } from "../checkpoint/tensor.js";

/** Element types of graph inputs, outputs and constants, with ONNX's numbers for them. */
export const ELEMENT_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
} as const;

/** An element type by name. */
export type ElementType = keyof typeof ELEMENT_TYPES;

/** Values of a constant; the array's type must match the element type. */
export type ConstantData = Float32Array | BigInt64Array | Int32Array | Int8Array | Uint8Array | Uint16Array;

/** What the kernels of a device can do; a graph is written for one. */
export interface GraphTarget {
  /** The fused attention operator can be trusted; without it the scores of all queries and keys are held at once. */
  readonly fusedAttention: boolean;
  /** Part of a graph can run in a loop at no cost, to bound what it holds at once. */
  readonly loops: boolean;
  /** Matrices in blocks are multiplied in float16, which takes the fast units of a GPU that has such. Default false. */
  readonly halves?: boolean | undefined;
  /** Levels of matrices in `w8a8` are unsigned, as tokens' are: sums of unsigned × signed products are cut off. Default false. */
  readonly unsignedLevels?: boolean | undefined;
}

/** What the CPU's kernels can do. */
export const CPU_TARGET: GraphTarget = { fusedAttention: true, loops: true };

/**
 * How a graph holds the matrices of its linear layers: as float32; as float16, to be multiplied with tokens in float16; in
 * blocks of 8 or 4 bits (`quantize/blocks.ts`); or in 8 bits by rows, to be multiplied with tokens in 8 bits
 * (`quantize/rows.ts`).
 */
export const WEIGHT_TYPES = ["fp32", "fp16", "q8", "w8a8", "q4"] as const;

/** One of {@link WEIGHT_TYPES}. */
export type WeightType = (typeof WEIGHT_TYPES)[number];

/** Those that a processor multiplies as they are: it would widen float16 first. */
export const CPU_WEIGHT_TYPES = WEIGHT_TYPES.filter((type) => type !== "fp16");

/** A tensor of a checkpoint under the name of its initializer. */
export interface StoredWeight {
  readonly name: string;
  readonly tensor: StoredTensor;
  /** The graph takes it in its stored type, whatever that is. Otherwise it is made float32 or float16 one way or another. */
  readonly asStored?: boolean | undefined;
  /** The graph holds it as float16 in the end. */
  readonly halved?: boolean | undefined;
}

/** A graph ready for a session. Its weights are byte ranges of files below `folder`, or of `data` if there is none. */
export interface GraphModel {
  readonly name: string;
  /** The serialised ModelProto, without weights. */
  readonly bytes: Uint8Array;
  /** Folder the file names of in-place weights are relative to. */
  readonly folder: string | undefined;
  /** All weights, where they could not be mapped; initializers refer to it under the location {@link GATHERED}. */
  readonly data: Uint8Array;
  /** Bytes the weights take in memory: as float32, as float16, or as levels and scales. */
  readonly weightBytes: number;
}

/** The location under which initializers refer to {@link GraphModel.data}. */
export const GATHERED = "gathered";
