/**
 * Matrices in 8 or 4 bits, in blocks, as ONNX Runtime's `MatMulNBits` takes them. A row of [out, in] is cut into blocks of
 * {@link BLOCKS} values along `in`; each block has a scale, its largest magnitude over the largest level, and every value
 * becomes the nearest level. Levels are stored unsigned, the middle meaning 0; the last block of a row is filled up with
 * zeros. Levels run to ± the same number, so that zero and signs are exact.
 */
import { readFloat32 } from "../../checkpoint/read.js";
import { sliceRows, type StoredTensor } from "../../checkpoint/tensor.js";
import { cutTensors, inverse, scaleOf, type Cut } from "./made.js";

/**
 * Values of a block, by the type in which they are multiplied. Blocks of 32 cost 9 bits a value instead of 8.25, at hardly
 * less error; but only with them and in float16 does ONNX Runtime use a GPU's units for whole matrices (1.30).
 */
export const BLOCKS = { float32: 128, float16: 32 } as const;

/** Bits of a level. */
export type LevelBits = 8 | 4;

/** A matrix in blocks: two tensors that are made when somebody reads them. */
export interface BlockMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly bits: LevelBits;
  /** Values of a block. */
  readonly block: number;
  /** [rows, blocks, block · bits / 8] bytes; of two 4-bit levels the first is the lower half. */
  readonly levels: StoredTensor;
  /** [rows, blocks] float32. */
  readonly scales: StoredTensor;
}

/** Rows that are read and cut at once: 16 MiB of a matrix 8192 wide. */
const ROWS_AT_ONCE = 512;

/** Describes a stored matrix [rows, columns] in blocks; nothing is read yet, and both parts are made in one reading. */
export function inBlocks(tensor: StoredTensor, bits: LevelBits, block: number): BlockMatrix {
  const [rows = 0, columns = 0] = tensor.shape;
  const blocks = Math.ceil(columns / block);
  const layouts = {
    levels: { dtype: "u8", shape: [rows, blocks, (block * bits) / 8] },
    scales: { dtype: "f32", shape: [rows, blocks] },
  } as const;
  const parts = cutTensors(tensor, [bits, block], layouts, () => cutMatrix(tensor, bits, block));
  return { rows, columns, bits, block, ...parts };
}

async function cutMatrix(tensor: StoredTensor, bits: LevelBits, block: number): Promise<Cut> {
  const [rows = 0, columns = 0] = tensor.shape;
  const blocks = Math.ceil(columns / block);
  const levels = new Uint8Array((rows * blocks * block * bits) / 8);
  const scales = new Float32Array(rows * blocks);
  const cut = bits === 8 ? cutBytes : cutHalves;
  for (let first = 0; first < rows; first += ROWS_AT_ONCE) {
    const some = Math.min(ROWS_AT_ONCE, rows - first);
    const values = await readFloat32(sliceRows(tensor, first, first + some));
    for (let row = 0; row < some; row++) {
      for (let i = 0; i < blocks; i++) {
        const start = row * columns + i * block;
        const end = Math.min(start + block, (row + 1) * columns);
        const place = (first + row) * blocks + i;
        scales[place] = cut({ values, start, end, levels, at: place * block, block });
      }
    }
  }
  return { levels, scales: new Uint8Array(scales.buffer) };
}

/*
 * Every value of a model passes through what follows, so it is written as plain loops over numbers: ten times as fast as
 * with a view of each block and a function for each level (docs/LOG.md). What is cut off a positive number together with an
 * added half rounds it; an array of bytes cuts by itself.
 */

/** A block of a matrix: the values `start` to `end`, fewer than `block` at a row's end, and where its levels begin. */
interface BlockTask {
  readonly values: Float32Array;
  readonly start: number;
  readonly end: number;
  readonly levels: Uint8Array;
  readonly at: number;
  readonly block: number;
}

/** Writes a block's 8-bit levels and returns their scale. */
function cutBytes({ values, start, end, levels, at, block }: BlockTask): number {
  const scale = scaleOf(values, start, end, 127);
  const factor = inverse(scale);
  const length = end - start;
  for (let i = 0; i < length; i++) levels[at + i] = values[start + i]! * factor + 128.5;
  for (let i = length; i < block; i++) levels[at + i] = 128;
  return scale;
}

/** The same with 4-bit levels, two in a byte. */
function cutHalves({ values, start, end, levels, at, block }: BlockTask): number {
  const scale = scaleOf(values, start, end, 7);
  const factor = inverse(scale);
  const length = end - start;
  for (let i = 0; i < block; i += 2) {
    const low = i < length ? (values[start + i]! * factor + 8.5) | 0 : 8;
    const high = i + 1 < length ? (values[start + i + 1]! * factor + 8.5) | 0 : 8;
    levels[(at + i) / 2] = low | (high << 4);
  }
  return scale;
}
