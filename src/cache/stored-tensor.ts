/** Keys and values in their stored form on the host. */
import { float16, float32, int8, type Tensor } from "../runtime/tensor.js";
import type { StorageType } from "./storage.js";

/** Elements of a stored array; a float16 is its 16 bits. */
export type StoredData = Float32Array | Uint16Array | Int8Array;

/** An array of `length` zeros. */
export function emptyArray(storage: StorageType, length: number): StoredData {
  switch (storage) {
    case "fp32":
      return new Float32Array(length);
    case "fp16":
      return new Uint16Array(length);
    case "int8":
      return new Int8Array(length);
  }
}

/** A tensor over an array, which must hold exactly the elements of the shape. */
export function storedTensor(data: StoredData, shape: readonly number[]): Tensor {
  if (data instanceof Float32Array) return float32(data, shape);
  return data instanceof Uint16Array ? float16(data, shape) : int8(data, shape);
}
