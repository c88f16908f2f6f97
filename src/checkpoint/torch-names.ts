/** From what a torch pickle held to named tensors of a file. */
import { CheckpointError } from "../errors.js";
import { quoted } from "./cursor.js";
import type { PickleValue } from "./pickle-machine.js";
import type { ByteSource } from "./source.js";
import { ELEMENT_BYTES, type StoredTensor } from "./tensor.js";
import { TorchTensor, type TorchStorage } from "./torch-objects.js";
import { placeTensor } from "./validate.js";

/** Dictionaries inside dictionaries; published files nest three deep. A dictionary that holds itself ends here. */
const MAX_DEPTH = 64;

/** Values looked at in all; dictionaries that share others could otherwise spell names without end. */
const MAX_VALUES = 500_000;

const MAX_NAME_CHARACTERS = 1024;

/** Where a storage lies in the file. */
export interface StorageRange {
  /** First byte. */
  readonly start: number;
  readonly bytes: number;
}

/**
 * The tensors below a value, names joined with dots (positions of lists count as names). Numbers, texts and opaque
 * objects are passed over, and so is what stands under a key that is neither text nor number: it has no name.
 *
 * @param locate the bytes of a storage; undefined where the file lacks them
 * @throws CheckpointError naming the tensor that is not where the pickle says, or the limit that is exceeded
 */
export function placeTorchTensors(
  source: ByteSource,
  root: PickleValue,
  locate: (storage: TorchStorage) => StorageRange | undefined,
): ReadonlyMap<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of namedTensors(source.name, root)) {
    if (tensors.has(name)) throw new CheckpointError(`${source.name}: two tensors are named ${quoted(name)}`);
    tensors.set(name, place(source, name, tensor, locate(tensor.storage)));
  }
  return tensors;
}

/** Tensors with their names, in the file's order. */
function namedTensors(file: string, root: PickleValue): [string, TorchTensor][] {
  const found: [string, TorchTensor][] = [];
  let seen = 0;
  const visit = (value: PickleValue, path: string, depth: number): void => {
    if (++seen > MAX_VALUES) throw new CheckpointError(`${file}: holds more than ${MAX_VALUES} values`);
    if (path.length > MAX_NAME_CHARACTERS) {
      throw new CheckpointError(`${file}: the name ${quoted(path)} is longer than ${MAX_NAME_CHARACTERS} characters`);
    }
    if (value instanceof TorchTensor) {
      found.push([path, value]);
      return;
    }
    if (depth > MAX_DEPTH) throw new CheckpointError(`${file}: dictionaries are nested deeper than ${MAX_DEPTH}`);
    for (const [key, child] of children(value)) visit(child, path === "" ? key : `${path}.${key}`, depth + 1);
  };
  visit(root, "", 0);
  return found;
}

function* children(value: PickleValue): Iterable<[string, PickleValue]> {
  if (!(value instanceof Map || Array.isArray(value))) return;
  for (const [key, child] of value.entries()) {
    if (typeof key === "string" || typeof key === "number") yield [String(key), child];
  }
}

function place(source: ByteSource, name: string, tensor: TorchTensor, range: StorageRange | undefined): StoredTensor {
  const { storage, dtype, first, shape, strides } = tensor;
  const where = `${source.name}: tensor ${quoted(name)}: storage ${quoted(storage.key)}`;
  if (!range) throw new CheckpointError(`${where} is not in the file`);
  // The storage's own type counts its elements; tensors over untyped bytes bring theirs.
  const bytes = storage.count * (storage.dtype ? ELEMENT_BYTES[storage.dtype] : 1);
  if (bytes > range.bytes) throw new CheckpointError(`${where} needs ${bytes} bytes, the file has ${range.bytes}`);
  const count = Math.floor(bytes / ELEMENT_BYTES[dtype]);
  return placeTensor(source, { start: range.start, count }, { name, dtype, shape, strides, first });
}
