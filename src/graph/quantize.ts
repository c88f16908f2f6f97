/**
 * Matrices in 8 or 4 bits, in blocks, as ONNX Runtime's `MatMulNBits` takes them. A row of [out, in] is cut into blocks of
 * {@link BLOCK} values along `in`; each block has a scale, its largest magnitude over the largest level, and every value
 * becomes the nearest level. Levels are stored unsigned, the middle meaning 0; the last block of a row is filled up with
 * zeros. Levels run to ± the same number, so that zero and signs are exact.
 */
import { readFloat32 } from "../checkpoint/read.js";
import { checkRange, type ByteSource } from "../checkpoint/source.js";
import { rowMajorStrides, sliceRows, type StoredTensor } from "../checkpoint/tensor.js";

/** Values of a block. Blocks of 32 would cost 9 bits a value instead of 8.25, at hardly less error. */
export const BLOCK = 128;

/** Bits of a level. */
export type LevelBits = 8 | 4;

/** A matrix in blocks: two tensors that are made when somebody reads them. */
export interface BlockMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly bits: LevelBits;
  /** [rows, blocks, BLOCK · bits / 8] bytes; of two 4-bit levels the first is the lower half. */
  readonly levels: StoredTensor;
  /** [rows, blocks] float32. */
  readonly scales: StoredTensor;
}

/** Rows that are read and cut at once: 16 MiB of a matrix 8192 wide. */
const ROWS_AT_ONCE = 512;

/** Describes a stored matrix [rows, columns] in blocks; nothing is read yet, and both parts are made in one reading. */
export function inBlocks(tensor: StoredTensor, bits: LevelBits): BlockMatrix {
  const [rows = 0, columns = 0] = tensor.shape;
  const blocks = Math.ceil(columns / BLOCK);
  let cut: Promise<Cut> | undefined;
  const part = (name: keyof Cut, dtype: "u8" | "f32", shape: readonly number[], size: number): StoredTensor => ({
    name: `${tensor.name}.${name}`,
    dtype,
    shape,
    strides: rowMajorStrides(shape),
    source: madeSource(
      `${tensor.source.name}: ${tensor.name}`,
      size,
      async () => (await (cut ??= cutMatrix(tensor, bits)))[name],
    ),
    offset: 0,
  });
  const bytes = (BLOCK * bits) / 8;
  return {
    ...{ rows, columns, bits },
    levels: part("levels", "u8", [rows, blocks, bytes], rows * blocks * bytes),
    scales: part("scales", "f32", [rows, blocks], rows * blocks * Float32Array.BYTES_PER_ELEMENT),
  };
}

interface Cut {
  readonly levels: Uint8Array;
  readonly scales: Uint8Array;
}

/** Bytes that are made at the first reading. */
function madeSource(name: string, size: number, make: () => Promise<Uint8Array>): ByteSource {
  const source: ByteSource = {
    name,
    size,
    async read(offset, length) {
      checkRange(source, offset, length);
      return (await make()).subarray(offset, offset + length);
    },
    close: () => Promise.resolve(),
  };
  return source;
}

async function cutMatrix(tensor: StoredTensor, bits: LevelBits): Promise<Cut> {
  const [rows = 0, columns = 0] = tensor.shape;
  const blocks = Math.ceil(columns / BLOCK);
  const levels = new Uint8Array((rows * blocks * BLOCK * bits) / 8);
  const scales = new Float32Array(rows * blocks);
  for (let first = 0; first < rows; first += ROWS_AT_ONCE) {
    const some = Math.min(ROWS_AT_ONCE, rows - first);
    const values = await readFloat32(sliceRows(tensor, first, first + some));
    for (let row = 0; row < some; row++) {
      for (let block = 0; block < blocks; block++) {
        const start = row * columns + block * BLOCK;
        const own = values.subarray(start, Math.min(start + BLOCK, (row + 1) * columns));
        const place = (first + row) * blocks + block;
        scales[place] = cutBlock(own, bits, levels, (place * BLOCK * bits) / 8);
      }
    }
  }
  return { levels, scales: new Uint8Array(scales.buffer) };
}

/** Writes a block's levels from byte `start` on and returns its scale. */
function cutBlock(values: Float32Array, bits: LevelBits, levels: Uint8Array, start: number): number {
  const middle = 2 ** (bits - 1);
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  const scale = Math.fround(largest / (middle - 1));
  // A block of zeros has scale 0 and all its levels in the middle.
  const level = (i: number): number => middle + (scale > 0 && i < values.length ? Math.round(values[i]! / scale) : 0);
  if (bits === 8) for (let i = 0; i < BLOCK; i++) levels[start + i] = level(i);
  else for (let i = 0; i < BLOCK; i += 2) levels[start + i / 2] = level(i) | (level(i + 1) << 4);
  return scale;
}
