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

/** A float64 tensor over the caller's memory. */
export function float64(data: Float64Array, shape: readonly number[]): Tensor {
  return new ort.Tensor("float64", data, shape);
}

/** A uint8 tensor over the caller's memory. */
export function uint8(data: Uint8Array, shape: readonly number[]): Tensor {
  return new ort.Tensor("uint8", data, shape);
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

/** Gives a tensor's memory back at once; nobody may read it afterwards, nor any other view of the same buffer. */
export function discard(tensor: Tensor): void {
  if (tensor.location === "cpu") discardArrays([bytesOf(tensor)]);
  else tensor.dispose();
}

/**
 * Gives back the memory of arrays with a buffer each. JavaScript frees a buffer when its collector comes by, but one that is
 * posted to nobody is gone now: of a hundred buffers of 16 MiB made one after the other one was resident at most, and eight
 * without this (measured, Node). Moved to somebody, they would be buffers again, and the collector's business.
 */
export function discardArrays(arrays: readonly ArrayBufferView[]): void {
  nobody.postMessage(
    undefined,
    arrays.map(({ buffer }) => buffer as ArrayBuffer),
  );
}

/** A closed port: what is posted to it is moved away and received by nobody. */
const nobody = new MessageChannel().port1;
nobody.close();

/** The memory of a tensor on the host, whatever its type. */
export function bytesOf({ data }: Tensor): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = data as Exclude<Tensor["data"], string[]>;
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
