/**
 * Stored elements as arrays of JavaScript numbers. Every published format is little-endian, and so is every machine
 * on which JavaScript runs today, so whole arrays are taken over as they lie.
 */
import { ELEMENT_BYTES, type DType } from "./tensor.js";

/** An array that holds every value of some dtypes exactly, but for 64-bit integers beyond 2^53. */
export type Elements = Float64Array | Float32Array | Int32Array | Int8Array | Uint8Array;

const DECODE: Readonly<Record<DType, (buffer: ArrayBufferLike, start: number, count: number) => Elements>> = {
  f64: (buffer, start, count) => new Float64Array(buffer, start, count),
  f32: (buffer, start, count) => new Float32Array(buffer, start, count),
  f16: (buffer, start, count) => widenHalves(new Uint16Array(buffer, start, count)),
  bf16: (buffer, start, count) => widenBfloats(new Uint16Array(buffer, start, count)),
  i64: (buffer, start, count) => Float64Array.from(new BigInt64Array(buffer, start, count), Number),
  i32: (buffer, start, count) => new Int32Array(buffer, start, count),
  i8: (buffer, start, count) => new Int8Array(buffer, start, count),
  u8: (buffer, start, count) => new Uint8Array(buffer, start, count),
  bool: (buffer, start, count) => new Uint8Array(buffer, start, count).map((byte) => (byte === 0 ? 0 : 1)),
};

/**
 * The elements in `bytes`, whose length is a whole number of them.
 *
 * @returns a view of the bytes where the type allows it, otherwise new memory
 */
export function decodeElements(dtype: DType, bytes: Uint8Array): Elements {
  const size = ELEMENT_BYTES[dtype];
  // Typed arrays must begin at a multiple of their element; tensors in files need not.
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return DECODE[dtype](buffer, byteOffset, byteLength / size);
}

/** bfloat16 is the upper half of a float32. */
function widenBfloats(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = (halves[i] ?? 0) << 16;
  return new Float32Array(words.buffer);
}

/**
 * IEEE 754 half precision (1 sign, 5 exponent, 10 fraction bits) to single (1, 8, 23): the fraction moves up 13 bits,
 * the exponent's bias grows from 15 to 127.
 */
function widenHalves(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  const values = new Float32Array(words.buffer);
  const rebias = (127 - 15) << 23;
  for (let i = 0; i < halves.length; i++) {
    const bits = halves[i] ?? 0;
    const sign = (bits & 0x8000) << 16;
    const magnitude = bits & 0x7fff;
    if (magnitude >= 0x7c00)
      words[i] = sign | 0x7f800000 | (magnitude << 13); // infinity, NaN
    else if (magnitude >= 0x0400) words[i] = sign | ((magnitude << 13) + rebias);
    else values[i] = (sign ? -1 : 1) * magnitude * 2 ** -24; // zero, subnormal
  }
  return values;
}
