/**
 * torch.save's format since PyTorch 1.6: a ZIP archive with one folder, in it the pickle `data.pkl` and every storage
 * as an entry `data/KEY`. Entries are stored, so each tensor is a byte range of the file.
 */
import { CheckpointError } from "../errors.js";
import type { Checkpoint } from "./checkpoint.js";
import { ByteCursor, quoted } from "./cursor.js";
import { MAX_PICKLE_BYTES, unpickle } from "./pickle.js";
import type { ByteSource } from "./source.js";
import { placeTorchTensors, type StorageRange } from "./torch-names.js";
import { TORCH_WORLD, type TorchStorage } from "./torch-objects.js";
import { readZipDirectory, type ZipEntry } from "./zip.js";

const PICKLE = "data.pkl";

/** Opens a torch ZIP checkpoint. */
export async function readTorchZip(source: ByteSource): Promise<Checkpoint> {
  const entries = await readZipDirectory(source);
  const folder = pickleFolder(source, entries);
  await checkByteOrder(source, entries.get(`${folder}byteorder`));
  const root = unpickle(await readPickle(source, entries.get(folder + PICKLE)), TORCH_WORLD);
  const locate = ({ key }: TorchStorage): StorageRange | undefined => {
    const entry = entries.get(`${folder}data/${key}`);
    return entry && { start: entry.offset, bytes: entry.size };
  };
  const tensors = placeTorchTensors(source, root, locate);
  return { path: source.name, format: "torch-zip", tensors, sources: [source] };
}

/** The archive's folder, with its slash; torch names it after the file, or `archive`. */
function pickleFolder(source: ByteSource, entries: ReadonlyMap<string, ZipEntry>): string {
  const pickles = [...entries.keys()].filter((name) => name === PICKLE || name.endsWith(`/${PICKLE}`));
  const [name] = pickles;
  if (name === undefined || pickles.length > 1) {
    throw new CheckpointError(`${source.name}: a zip archive with ${pickles.length} entries ${PICKLE}, expected 1`);
  }
  return name.slice(0, -PICKLE.length);
}

async function readPickle(source: ByteSource, entry: ZipEntry | undefined): Promise<ByteCursor> {
  const { offset, size } = entry ?? { offset: 0, size: 0 };
  if (size > MAX_PICKLE_BYTES) {
    throw new CheckpointError(`${source.name}: ${PICKLE} has ${size} bytes, the limit is ${MAX_PICKLE_BYTES}`);
  }
  return new ByteCursor(await source.read(offset, size), `${source.name}: ${PICKLE}`);
}

/** Newer files say in which order their writer kept bytes; without a word it is little-endian. */
async function checkByteOrder(source: ByteSource, entry: ZipEntry | undefined): Promise<void> {
  if (!entry) return;
  const length = Math.min(entry.size, "little".length);
  const order = new ByteCursor(await source.read(entry.offset, length), source.name).text(length);
  if (order !== "little") throw new CheckpointError(`${source.name}: byte order ${quoted(order)}, only little is read`);
}
