/** Values of a stored tensor: bytes to numbers, through whatever strides the checkpoint gave it. */
import { ModelError } from "../errors.js";
import { quoted, shownSizes } from "./cursor.js";
import { decodeElements } from "./decode.js";
import { ELEMENT_BYTES, elementCount, isContiguous, sliceRows, type StoredTensor } from "./tensor.js";

/** Bytes read at once, so that a huge tensor costs its values and no second copy of itself. A whole number of elements. */
const CHUNK_BYTES = 16 * 2 ** 20;

/** All values in row-major order, converted to float32 (integers beyond 2^24 are rounded). */
export async function readFloat32(tensor: StoredTensor): Promise<Float32Array<ArrayBuffer>> {
  const values = new Float32Array(elementCount(tensor.shape));
  await readInto(tensor, values);
  return values;
}

/** All values in row-major order as doubles (64-bit integers beyond 2^53 are rounded). */
export async function readNumbers(tensor: StoredTensor): Promise<Float64Array<ArrayBuffer>> {
  const values = new Float64Array(elementCount(tensor.shape));
  await readInto(tensor, values);
  return values;
}

/**
 * Some rows of a matrix as float32, without reading the others: what an embedding looks up.
 *
 * @param tensor [rows, columns]
 * @param indices rows in the order wanted, repeats allowed
 * @returns [indices, columns], row-major
 * @throws ModelError for a tensor that is no matrix and for a row it does not have
 */
export async function readRows(tensor: StoredTensor, indices: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
  const [rows, columns] = tensor.shape;
  if (rows === undefined || columns === undefined || tensor.shape.length !== 2) {
    throw new ModelError(`tensor ${quoted(tensor.name)}: ${shownSizes(tensor.shape)}, expected [rows, columns]`);
  }
  const outside = indices.find((row) => !(Number.isInteger(row) && row >= 0 && row < rows));
  if (outside !== undefined) {
    throw new ModelError(`tensor ${quoted(tensor.name)}: row ${outside} is asked for, it has ${rows} rows`);
  }
  const values = new Float32Array(indices.length * columns);
  const read = indices.map(async (row, i) => {
    values.set(await readFloat32(sliceRows(tensor, row, row + 1)), i * columns);
  });
  await Promise.all(read);
  return values;
}

/** Elements from the first to the last one a non-empty tensor touches, gaps included. */
export function spanElements(tensor: StoredTensor): number {
  return tensor.shape.reduce((span, size, axis) => span + (size - 1) * (tensor.strides[axis] ?? 0), 1);
}

/** Fills `values`, which has one place for each element. */
async function readInto(tensor: StoredTensor, values: Float32Array | Float64Array): Promise<void> {
  if (!isContiguous(tensor)) {
    if (values.length > 0) await readStrided(tensor, values);
    return;
  }
  const { dtype, source, offset } = tensor;
  const size = ELEMENT_BYTES[dtype];
  const bytes = values.length * size;
  for (let done = 0; done < bytes; done += CHUNK_BYTES) {
    const chunk = await source.read(offset + done, Math.min(CHUNK_BYTES, bytes - done));
    values.set(decodeElements(dtype, chunk), done / size);
  }
}

/** Walks the axes of a view with gaps or in another order; its whole span is read at once. */
async function readStrided(tensor: StoredTensor, values: Float32Array | Float64Array): Promise<void> {
  const { shape, strides, dtype, source, offset } = tensor;
  const elements = decodeElements(dtype, await source.read(offset, spanElements(tensor) * ELEMENT_BYTES[dtype]));
  let next = 0;
  const walk = (axis: number, first: number): void => {
    const length = shape[axis];
    if (length === undefined) {
      values[next++] = elements[first] ?? NaN;
      return;
    }
    for (let i = 0; i < length; i++) walk(axis + 1, first + i * (strides[axis] ?? 0));
  };
  walk(0, 0);
}
