/**
 * A stored tensor is a description: dtype, shape, strides and where its first element lies. Its bytes are read when
 * somebody asks for values, or never, where ONNX Runtime maps them from the file itself.
 */
import type { ByteSource } from "./source.js";

/** Element types found in published checkpoints. */
export type DType = "f64" | "f32" | "f16" | "bf16" | "i64" | "i32" | "i8" | "u8" | "bool";

/** Bytes of one element. */
export const ELEMENT_BYTES: Readonly<Record<DType, number>> = {
  f64: 8,
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  i32: 4,
  i8: 1,
  u8: 1,
  bool: 1,
};

/** One tensor of a checkpoint. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Distance between neighbours along each axis, in elements. */
  readonly strides: readonly number[];
  readonly source: ByteSource;
  /** Byte of the source at which element [0, 0, …] lies. */
  readonly offset: number;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Row-major strides of a shape, in elements. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis]!;
  }
  return strides;
}

/** True where the elements lie row by row without gaps, so that the tensor is one byte range. */
export function isContiguous(tensor: StoredTensor): boolean {
  const expected = rowMajorStrides(tensor.shape);
  return tensor.shape.every((size, axis) => size <= 1 || tensor.strides[axis] === expected[axis]);
}

/** Bytes the tensor's elements take (without gaps). */
export function byteLength(tensor: StoredTensor): number {
  return elementCount(tensor.shape) * ELEMENT_BYTES[tensor.dtype];
}

/** The rows `start` to `end` (first axis) of a tensor: another description of the same bytes. */
export function sliceRows(tensor: StoredTensor, start: number, end: number): StoredTensor {
  const [rows = 0, ...rest] = tensor.shape;
  if (!(start >= 0 && start <= end && end <= rows)) {
    throw new RangeError(`${tensor.name}: rows ${start} to ${end} of ${rows}`);
  }
  const skip = start * (tensor.strides[0] ?? 0) * ELEMENT_BYTES[tensor.dtype];
  return {
    ...tensor,
    name: `${tensor.name}[${start}:${end}]`,
    shape: [end - start, ...rest],
    offset: tensor.offset + skip,
  };
}
