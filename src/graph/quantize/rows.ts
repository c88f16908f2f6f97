/**
 * Matrices in 8 bits with one scale for each row of [out, in], that is for each output, so that products are sums of
 * integers from end to end and only their results are scaled (ONNX Runtime's `MatMulIntegerToFloat`). They are stored
 * turned, [in, out], as that operator takes them: signed, or unsigned with 128 for zero, of which the same sums come.
 */
import { readFloat32 } from "../../checkpoint/read.js";
import { sliceRows, type StoredTensor } from "../../checkpoint/tensor.js";
import { cutTensors, inverse, scaleOf, type Cut } from "./made.js";

/** A matrix by rows: two tensors that are made when somebody reads them. */
export interface RowMatrix {
  readonly rows: number;
  readonly columns: number;
  /** The level of zero: 0, or {@link UNSIGNED_ZERO} where levels are unsigned. */
  readonly zero: number;
  /** [columns, rows], int8 or uint8. */
  readonly levels: StoredTensor;
  /** [rows] float32. */
  readonly scales: StoredTensor;
}

/** Rows that are read and cut at once. Levels of 64 rows lie beside each other: a line of the processor's cache. */
const ROWS_AT_ONCE = 64;

/** The largest level, of either sign. */
const LARGEST = 127;

/** The level of zero among unsigned ones. */
export const UNSIGNED_ZERO = 128;

/** Added to a number, with a half, before its fraction is cut off: so it is positive, and rounded. */
const ABOVE = LARGEST + 1;

/** Describes a stored matrix [rows, columns] by rows; nothing is read yet, and both parts are made in one reading. */
export function inRows(tensor: StoredTensor, unsigned = false): RowMatrix {
  const [rows = 0, columns = 0] = tensor.shape;
  const zero = unsigned ? UNSIGNED_ZERO : 0;
  const layouts = {
    levels: { dtype: unsigned ? "u8" : "i8", shape: [columns, rows] },
    scales: { dtype: "f32", shape: [rows] },
  } as const;
  const how = ["rows", LARGEST, ...(unsigned ? ["unsigned"] : [])];
  return { rows, columns, zero, ...cutTensors(tensor, how, layouts, () => cutMatrix(tensor, zero)) };
}

async function cutMatrix(tensor: StoredTensor, zero: number): Promise<Cut> {
  const [rows = 0, columns = 0] = tensor.shape;
  // Of a negative number a byte keeps its two's complement.
  const levels = new Uint8Array(columns * rows);
  const [half, back] = [ABOVE + 0.5, ABOVE - zero];
  const scales = new Float32Array(rows);
  for (let first = 0; first < rows; first += ROWS_AT_ONCE) {
    const end = Math.min(first + ROWS_AT_ONCE, rows);
    const values = await readFloat32(sliceRows(tensor, first, end));
    for (let row = first; row < end; row++) {
      const start = (row - first) * columns;
      const scale = scaleOf(values, start, start + columns, LARGEST);
      const factor = inverse(scale);
      scales[row] = scale;
      // See `blocks.ts` on such loops.
      for (let i = 0; i < columns; i++) {
        levels[i * rows + row] = ((values[start + i]! * factor + half) | 0) - back;
      }
    }
  }
  return { levels, scales: new Uint8Array(scales.buffer) };
}
