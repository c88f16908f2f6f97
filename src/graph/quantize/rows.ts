/**
 * Matrices in 8 bits with one scale for each row of [out, in], that is for each output, so that products are sums of
 * integers from end to end and only their results are scaled (ONNX Runtime's `MatMulIntegerToFloat`). They are stored
 * turned, [in, out], as that operator takes them.
 */
import { readFloat32 } from "../../checkpoint/read.js";
import { sliceRows, type StoredTensor } from "../../checkpoint/tensor.js";
import { cutTensors, inverse, scaleOf, type Cut } from "./made.js";

/** A matrix by rows: two tensors that are made when somebody reads them. */
export interface RowMatrix {
  readonly rows: number;
  readonly columns: number;
  /** [columns, rows] int8. */
  readonly levels: StoredTensor;
  /** [rows] float32. */
  readonly scales: StoredTensor;
}

/** Rows that are read and cut at once. Levels of 64 rows lie beside each other: a line of the processor's cache. */
const ROWS_AT_ONCE = 64;

/** The largest level, of either sign. */
const LARGEST = 127;

/** Describes a stored matrix [rows, columns] by rows; nothing is read yet, and both parts are made in one reading. */
export function inRows(tensor: StoredTensor): RowMatrix {
  const [rows = 0, columns = 0] = tensor.shape;
  const layouts = {
    levels: { dtype: "i8", shape: [columns, rows] },
    scales: { dtype: "f32", shape: [rows] },
  } as const;
  return { rows, columns, ...cutTensors(tensor, ["rows", LARGEST], layouts, () => cutMatrix(tensor)) };
}

async function cutMatrix(tensor: StoredTensor): Promise<Cut> {
  const [rows = 0, columns = 0] = tensor.shape;
  const levels = new Int8Array(columns * rows);
  const scales = new Float32Array(rows);
  for (let first = 0; first < rows; first += ROWS_AT_ONCE) {
    const end = Math.min(first + ROWS_AT_ONCE, rows);
    const values = await readFloat32(sliceRows(tensor, first, end));
    for (let row = first; row < end; row++) {
      const start = (row - first) * columns;
      const scale = scaleOf(values, start, start + columns, LARGEST);
      const factor = inverse(scale);
      scales[row] = scale;
      // A positive number and a half, cut off, is rounded; see `blocks.ts` on such loops.
      for (let i = 0; i < columns; i++) levels[i * rows + row] = ((values[start + i]! * factor + 128.5) | 0) - 128;
    }
  }
  return { levels: new Uint8Array(levels.buffer), scales: new Uint8Array(scales.buffer) };
}
