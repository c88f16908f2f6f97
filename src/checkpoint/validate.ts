/**
 * The one gate between a file's claims and a {@link StoredTensor}: shape, strides and span are checked against the
 * bytes that exist, so whoever reads a tensor later can allocate and index without asking again.
 */
import { CheckpointError } from "../errors.js";
import { quoted, shownSizes } from "./cursor.js";
import { ELEMENT_BYTES, elementCount, type DType, type StoredTensor } from "./tensor.js";
import type { ByteSource } from "./source.js";

/** PyTorch and NumPy index at most this many axes. */
export const MAX_RANK = 64;

/**
 * Elements a tensor may have beyond those of its storage. Expanded views (stride 0) repeat stored elements; without
 * a limit 100 bytes of file could ask for terabytes of values.
 */
const EXPANDED_ELEMENTS = 2 ** 20;

/** A run of equal elements in a source: a torch storage, or the data of one safetensors entry. */
export interface Extent {
  /** First byte in the source. */
  readonly start: number;
  /** Whole elements. */
  readonly count: number;
}

/** What a file says about one tensor. */
export interface TensorClaim {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** In elements, one per axis. */
  readonly strides: readonly number[];
  /** Element of the extent that is [0, 0, …] of the tensor. */
  readonly first: number;
}

/**
 * The tensor a file claims, if its bytes exist.
 *
 * @throws CheckpointError naming file, tensor, expected and found where a size is not a whole number of elements, the
 *   strides do not fit the shape, the tensor leaves its extent, or the extent leaves the file.
 */
export function placeTensor(source: ByteSource, extent: Extent, claim: TensorClaim): StoredTensor {
  const { name, dtype, shape, strides, first } = claim;
  const refuse = (problem: string) => new CheckpointError(`${source.name}: tensor ${quoted(name)}: ${problem}`);
  if (shape.length > MAX_RANK) throw refuse(`${shape.length} axes, the limit is ${MAX_RANK}`);
  if (strides.length !== shape.length) throw refuse(`${shape.length} sizes but ${strides.length} strides`);
  if (!isShape(shape)) throw refuse(`${shownSizes(shape)} is not a shape`);
  if (![...strides, first].every(isSize)) {
    throw refuse(`strides ${shownSizes(strides)} from element ${first} are not whole numbers from 0 up`);
  }
  const end = first + span(shape, strides);
  if (end > extent.count) throw refuse(`needs ${end} elements, its storage has ${extent.count}`);
  const count = elementCount(shape);
  if (count > extent.count + EXPANDED_ELEMENTS) {
    throw refuse(`repeats ${extent.count} stored elements to ${count}, more than ${EXPANDED_ELEMENTS} extra`);
  }
  const size = ELEMENT_BYTES[dtype];
  const fileEnd = extent.start + extent.count * size;
  if (!(fileEnd <= source.size)) throw refuse(`its data ends at byte ${fileEnd}, the file at ${source.size}`);
  return { name, dtype, shape, strides, source, offset: extent.start + first * size };
}

/** True for sizes whose product counts exactly (below 2^53), even where another size is 0. */
export function isShape(sizes: readonly number[]): boolean {
  return sizes.every(isSize) && elementCount(sizes.filter((size) => size > 0)) <= Number.MAX_SAFE_INTEGER;
}

/** True for a whole number from 0 to 2^53 − 1. */
export function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Elements from the first to the last one a tensor touches, gaps included; 0 for an empty tensor. */
function span(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), 1);
}
