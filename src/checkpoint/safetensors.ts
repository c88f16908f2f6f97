/**
 * safetensors: 8 bytes header length, a JSON header that gives every tensor's dtype, shape and byte range, then the
 * bytes. Format: https://github.com/huggingface/safetensors#format
 */
import { CheckpointError } from "../errors.js";
import type { Checkpoint } from "./checkpoint.js";
import { ByteCursor, quoted, shown, shownSizes } from "./cursor.js";
import { parseObject } from "./json.js";
import type { ByteSource } from "./source.js";
import { byteLength, ELEMENT_BYTES, elementCount, rowMajorStrides, type DType, type StoredTensor } from "./tensor.js";
import { isShape, isSize, placeTensor } from "./validate.js";

/** The format's own limit for the header. */
const MAX_HEADER_BYTES = 100_000_000;

/** Bytes of the header's length. */
const LENGTH_BYTES = 8;

/** Names of element types in headers. */
const DTYPES: Readonly<Record<string, DType>> = {
  F64: "f64",
  F32: "f32",
  F16: "f16",
  BF16: "bf16",
  I64: "i64",
  I32: "i32",
  I8: "i8",
  U8: "u8",
  BOOL: "bool",
};

/** The key of a header that describes the file and no tensor. */
export const METADATA = "__metadata__";

/**
 * Opens a safetensors file.
 *
 * @throws CheckpointError for a malformed header, and for tensors that do not fill the data one after another
 */
export async function readSafetensors(source: ByteSource): Promise<Checkpoint> {
  const header = await readHeader(source);
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(header.entries)) {
    if (name !== METADATA) tensors.set(name, place(source, header.end, name, entry));
  }
  checkLayout(source, header.end, tensors.values());
  return { path: source.name, format: "safetensors", tensors, sources: [source] };
}

/** The header's entries, unchecked, and the byte at which it ends. */
async function readHeader(source: ByteSource): Promise<{ entries: object; end: number }> {
  const head = await source.read(0, Math.min(LENGTH_BYTES, source.size));
  const length = new ByteCursor(head, `${source.name}: header`).u64();
  if (length > MAX_HEADER_BYTES) {
    throw new CheckpointError(`${source.name}: a header of ${length} bytes, the limit is ${MAX_HEADER_BYTES}`);
  }
  const end = LENGTH_BYTES + length;
  if (end > source.size) {
    throw new CheckpointError(
      `${source.name}: the header ends at byte ${end}, the file at ${source.size}; it is truncated`,
    );
  }
  const text = new ByteCursor(await source.read(LENGTH_BYTES, length), `${source.name}: header`).text(length);
  return { entries: parseObject(text, `${source.name}: the header`), end };
}

function place(source: ByteSource, dataStart: number, name: string, entry: unknown): StoredTensor {
  const refuse = (problem: string) => new CheckpointError(`${source.name}: tensor ${quoted(name)}: ${problem}`);
  const { dtype: label, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const dtype = typeof label === "string" && Object.hasOwn(DTYPES, label) && DTYPES[label];
  if (!dtype) {
    throw refuse(`dtype ${shown(label)}, only ${Object.keys(DTYPES).join(" ")} are read`);
  }
  if (!isSizes(shape) || !isShape(shape)) throw refuse(`shape ${shown(shape)} is not a shape`);
  const [start, end] = isSizes(offsets) && offsets.length === 2 ? offsets : [];
  if (start === undefined || end === undefined || start > end) {
    throw refuse(`data_offsets ${shown(offsets)} are not a range`);
  }
  const count = elementCount(shape);
  const bytes = count * ELEMENT_BYTES[dtype];
  if (end - start !== bytes) throw refuse(`${shownSizes(shape)} ${label} needs ${bytes} bytes, it has ${end - start}`);
  const extent = { start: dataStart + start, count };
  return placeTensor(source, extent, { name, dtype, shape, strides: rowMajorStrides(shape), first: 0 });
}

/**
 * The format leaves no hole between tensors and nothing behind the last one, so a wrong offset shows: it would give a
 * tensor another one's values. Of a name that comes twice JSON keeps the last entry, and the first one's bytes are a hole.
 */
function checkLayout(source: ByteSource, dataStart: number, tensors: Iterable<StoredTensor>): void {
  let end = dataStart;
  // Empty tensors lie before the one that begins at the same byte.
  for (const tensor of [...tensors].sort((a, b) => a.offset - b.offset || byteLength(a) - byteLength(b))) {
    if (tensor.offset !== end) {
      throw new CheckpointError(
        `${source.name}: tensor ${quoted(tensor.name)}: its data begins at byte ${tensor.offset}, what precedes it ends at ${end}`,
      );
    }
    end += byteLength(tensor);
  }
  if (end !== source.size) {
    throw new CheckpointError(`${source.name}: the last tensor ends at byte ${end}, the file at ${source.size}`);
  }
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isSize);
}
