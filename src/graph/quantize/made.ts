/** Tensors that are made of a checkpoint's tensor when somebody first reads them. */
import { CheckpointError } from "../../errors.js";
import { checkRange, type ByteSource } from "../../checkpoint/source.js";
import {
  ELEMENT_BYTES,
  elementCount,
  rowMajorStrides,
  type DType,
  type StoredTensor,
} from "../../checkpoint/tensor.js";

/** Levels of a matrix's values and the scales they are to be multiplied by, as a graph reads them. */
export interface Cut {
  readonly levels: Uint8Array;
  readonly scales: Uint8Array;
}

/** Type and shape of one of them. */
interface Layout {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

const CUT_VERSION = 1;

/**
 * Both parts of what `make` cuts, in one reading. What they depend on beside the tensor is `how` it is cut: equal ones
 * stand for equal bytes. The version changes whenever the same values would be cut otherwise. Reading them throws a
 * CheckpointError where a value is not finite.
 */
export function cutTensors(
  tensor: StoredTensor,
  how: readonly (number | string)[],
  layouts: Readonly<Record<keyof Cut, Layout>>,
  make: () => Promise<Cut>,
): Record<keyof Cut, StoredTensor> {
  let cut: Promise<Cut> | undefined;
  const requireFinite = (made: Cut): Cut => {
    const { buffer, byteOffset, byteLength } = made.scales;
    const scales = new Float32Array(buffer, byteOffset, byteLength / Float32Array.BYTES_PER_ELEMENT);
    if (scales.every(Number.isFinite)) return made;
    throw new CheckpointError(`${tensor.source.name}: ${tensor.name} has values that are no finite numbers`);
  };
  const fingerprint = async (part: keyof Cut): Promise<string> => {
    const { source, offset, dtype, shape, strides } = tensor;
    const file = await source.fingerprint?.();
    return JSON.stringify([CUT_VERSION, file, offset, dtype, shape, strides, ...how, part]);
  };
  const part = (name: keyof Cut): StoredTensor => {
    const { dtype, shape } = layouts[name];
    const made = madeSource(
      `${tensor.source.name}: ${tensor.name}`,
      elementCount(shape) * ELEMENT_BYTES[dtype],
      async () => (await (cut ??= make().then(requireFinite)))[name],
    );
    const source = { ...made, ...(tensor.source.fingerprint && { fingerprint: () => fingerprint(name) }) };
    return { name: `${tensor.name}.${name}`, dtype, shape, strides: rowMajorStrides(shape), source, offset: 0 };
  };
  return { levels: part("levels"), scales: part("scales") };
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

/** The scale that makes the largest magnitude of the values `start` to `end` the largest level; NaN where one is not finite. */
export function scaleOf(values: Float32Array, start: number, end: number, largestLevel: number): number {
  let largest = 0;
  let finite = 0;
  for (let i = start; i < end; i++) {
    const magnitude = Math.abs(values[i]!);
    if (magnitude > largest) largest = magnitude;
    // 0 of every finite number, NaN of any other, which stays.
    finite += magnitude - magnitude;
  }
  return Math.fround(largest / largestLevel) + finite;
}

/** 1 / scale, and 0 for 0: where all values are zeros, so are their levels. */
export function inverse(scale: number): number {
  return scale > 0 ? 1 / scale : 0;
}
