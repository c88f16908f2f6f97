/**
 * torch.save's format before PyTorch 1.6: five pickles (magic number, version, writer's machine, the object, the keys
 * of its storages), then the storages in the order of the keys, each an int64 element count and the raw elements.
 */
import { CheckpointError } from "../errors.js";
import type { Checkpoint } from "./checkpoint.js";
import { ByteCursor, quoted } from "./cursor.js";
import type { PickleObject, PickleValue, PickleWorld } from "./pickle-machine.js";
import { MAX_PICKLE_BYTES, unpickle } from "./pickle.js";
import type { ByteSource } from "./source.js";
import { ELEMENT_BYTES } from "./tensor.js";
import { placeTorchTensors, type StorageRange } from "./torch-names.js";
import { TORCH_WORLD, TorchStorage } from "./torch-objects.js";

const MAGIC = 0x1950a86a20f9469cfc6cn;
const VERSION = 1001;

/** Bytes of the element count before each storage. */
const COUNT_BYTES = 8;

/** Opens a checkpoint of the old format. */
export async function readTorchLegacy(source: ByteSource): Promise<Checkpoint> {
  const head = await source.read(0, Math.min(source.size, MAX_PICKLE_BYTES));
  const cursor = new ByteCursor(head, `${source.name}: pickle`);
  checkPreamble(source, cursor);
  const world = new StorageRecorder();
  const root = unpickle(cursor, world);
  const keys = unpickle(cursor, TORCH_WORLD);
  const ranges = await findStorages(source, cursor.position, keys, world.elementBytes);
  const tensors = placeTorchTensors(source, root, ({ key }) => ranges.get(key));
  return { path: source.name, format: "torch-legacy", tensors, sources: [source] };
}

/** The first three pickles. */
function checkPreamble(source: ByteSource, cursor: ByteCursor): void {
  const magic = unpickle(cursor, TORCH_WORLD);
  if (magic !== MAGIC) throw new CheckpointError(`${source.name}: a pickle, but not one that torch.save wrote`);
  const version = unpickle(cursor, TORCH_WORLD);
  if (version !== VERSION) throw cursor.error(`not format version ${VERSION}`);
  const machine = unpickle(cursor, TORCH_WORLD);
  if (!(machine instanceof Map) || machine.get("little_endian") !== true) {
    throw cursor.error("the writer's machine was not little-endian");
  }
}

/**
 * The torch world, with a note of every storage's element size: the file counts elements in the type under which the
 * storage was first named.
 */
class StorageRecorder implements PickleWorld {
  readonly elementBytes = new Map<string, number>();

  global(module: string, name: string): PickleObject | undefined {
    return TORCH_WORLD.global(module, name);
  }

  persistent(id: PickleValue): TorchStorage | undefined {
    const storage = TORCH_WORLD.persistent(id);
    if (!(storage instanceof TorchStorage)) return undefined;
    const known = this.elementBytes.has(storage.key);
    if (!known) this.elementBytes.set(storage.key, storage.dtype ? ELEMENT_BYTES[storage.dtype] : 1);
    return storage;
  }
}

/** Byte ranges of the storages, which follow one another from `position`. */
async function findStorages(
  source: ByteSource,
  position: number,
  keys: PickleValue,
  elementBytes: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, StorageRange>> {
  const ranges = new Map<string, StorageRange>();
  if (!Array.isArray(keys)) throw new CheckpointError(`${source.name}: the list of storages is not a list`);
  let next = position;
  for (const key of keys) {
    const size = typeof key === "string" ? elementBytes.get(key) : undefined;
    if (typeof key !== "string" || size === undefined || ranges.has(key)) {
      throw new CheckpointError(`${source.name}: the list of storages does not match the tensors`);
    }
    const count = new ByteCursor(await source.read(next, COUNT_BYTES), `${source.name}: storage ${quoted(key)}`).u64();
    const range = { start: next + COUNT_BYTES, bytes: count * size };
    next = range.start + range.bytes;
    if (next > source.size) {
      throw new CheckpointError(
        `${source.name}: storage ${quoted(key)} ends at byte ${next}, the file at ${source.size}; it is truncated`,
      );
    }
    ranges.set(key, range);
  }
  return ranges;
}
