/** Tensors that cross the border to ONNX Runtime. On the host they are views: nothing is copied on the way in. */
import type { Tensor } from "onnxruntime-common";
import { ort } from "./ort.js";

export type { Tensor } from "onnxruntime-common";

/** A float32 tensor over the caller's memory; `data` must hold exactly the elements of the shape. */
export function float32(data: Float32Array, shape: readonly number[]): Tensor {
  return new ort.Tensor("float32", data, shape);
}

/** A float16 tensor over the caller's memory, each element as its 16 bits. */
export function float16(data: Uint16Array, shape: readonly number[]): Tensor {
  return new ort.Tensor("float16", data, shape);
}

/** An int8 tensor over the caller's memory. */
export function int8(data: Int8Array, shape: readonly number[]): Tensor {
  return new ort.Tensor("int8", data, shape);
}

/** An int64 tensor. */
export function int64(values: readonly number[], shape: readonly number[]): Tensor {
  return new ort.Tensor("int64", BigInt64Array.from(values, BigInt), shape);
}

/** The values of a float32 tensor that lies on the host. */
export function values(tensor: Tensor): Float32Array {
  if (tensor.type !== "float32") throw new TypeError(`expected float32 values, found ${tensor.type}`);
  return tensor.data as Float32Array;
}
