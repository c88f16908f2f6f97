/** Values of a stored tensor: bytes to numbers, through whatever strides the checkpoint gave it. */
import { ELEMENT_BYTES, elementCount, isContiguous, type DType, type StoredTensor } from "./tensor.js";

type Decode = (view: DataView, byte: number) => number;

/** One element as a JavaScript number, little-endian as every published format is. */
const DECODE: Readonly<Record<DType, Decode>> = {
  f64: (view, byte) => view.getFloat64(byte, true),
  f32: (view, byte) => view.getFloat32(byte, true),
  f16: (view, byte) => halfToNumber(view.getUint16(byte, true)),
  bf16: (view, byte) => bfloatToNumber(view.getUint16(byte, true)),
  i64: (view, byte) => Number(view.getBigInt64(byte, true)),
  i32: (view, byte) => view.getInt32(byte, true),
  i8: (view, byte) => view.getInt8(byte),
  u8: (view, byte) => view.getUint8(byte),
  bool: (view, byte) => (view.getUint8(byte) === 0 ? 0 : 1),
};

/** IEEE 754 half precision: 1 sign, 5 exponent, 10 fraction bits. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const word = new DataView(new ArrayBuffer(4));

/** bfloat16 is the upper half of a float32. */
export function bfloatToNumber(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}

/** All values in row-major order, converted to float32 (integers beyond 2^24 are rounded). */
export async function readFloat32(tensor: StoredTensor): Promise<Float32Array<ArrayBuffer>> {
  return Float32Array.from(await readNumbers(tensor));
}

/** All values in row-major order as doubles (64-bit integers beyond 2^53 are rounded). */
export async function readNumbers(tensor: StoredTensor): Promise<Float64Array<ArrayBuffer>> {
  const count = elementCount(tensor.shape);
  const size = ELEMENT_BYTES[tensor.dtype];
  const bytes = await tensor.source.read(tensor.offset, count === 0 ? 0 : spanElements(tensor) * size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decode = DECODE[tensor.dtype];
  const values = new Float64Array(count);
  if (isContiguous(tensor)) {
    for (let i = 0; i < count; i++) values[i] = decode(view, i * size);
    return values;
  }
  let next = 0;
  const walk = (axis: number, element: number): void => {
    if (axis === tensor.shape.length) {
      values[next++] = decode(view, element * size);
      return;
    }
    for (let i = 0; i < tensor.shape[axis]!; i++) walk(axis + 1, element + i * tensor.strides[axis]!);
  };
  walk(0, 0);
  return values;
}

/** Elements from the first to the last one a non-empty tensor touches, gaps included. */
export function spanElements(tensor: StoredTensor): number {
  return tensor.shape.reduce((span, size, axis) => span + (size - 1) * tensor.strides[axis]!, 1);
}
