/**
 * Small writer of torch checkpoints, for files that PyTorch would not write for us: hostile ones, and ones whose
 * storages begin behind 4 GiB without taking that space on the disk.
 */
import { open } from "node:fs/promises";

/** Bytes from bytes, numbers and ASCII text. */
export function concat(...parts: readonly (Uint8Array | number | string)[]): Uint8Array {
  return Buffer.concat(
    parts.map((part) =>
      typeof part === "number" ? Uint8Array.of(part) : typeof part === "string" ? Buffer.from(part) : part,
    ),
  );
}

/** Little-endian unsigned integer of 2, 4 or 8 bytes. */
export function uint(value: number, size: 2 | 4 | 8): Uint8Array {
  const bytes = Buffer.alloc(size);
  if (size === 8) bytes.writeBigUInt64LE(BigInt(value));
  else bytes.writeUIntLE(value, 0, size);
  return bytes;
}

/** LONG1 of 8 bytes, also for negative values. */
function int(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return concat(0x8a, 8, bytes);
}

/** Pieces of pickles; each pushes one value. */
export const pickle = {
  text: (value: string) => concat("X", uint(Buffer.byteLength(value), 4), value),
  int,
  global: (module: string, name: string) => concat("c", module, "\n", name, "\n"),
  tuple: (...items: readonly Uint8Array[]) => concat("(", ...items, "t"),
  call: (callee: Uint8Array, ...args: readonly Uint8Array[]) => concat(callee, pickle.tuple(...args), "R"),
  dictionary: (entries: Readonly<Record<string, Uint8Array>>) =>
    concat("}(", ...Object.entries(entries).flatMap(([key, value]) => [pickle.text(key), value]), "u"),
  /** A whole pickle around a value. */
  file: (value: Uint8Array) => concat(0x80, 2, value, "."),
};

/** One tensor as torch.save pickles it; shape and strides in elements. */
export interface PickledTensor {
  readonly key: string;
  readonly storage: string;
  readonly count: number;
  readonly first?: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** The call that rebuilds a tensor from its storage. */
export function pickledTensor({ key, storage, count, first = 0, shape, strides }: PickledTensor): Uint8Array {
  const id = pickle.tuple(
    pickle.text("storage"),
    pickle.global("torch", storage),
    pickle.text(key),
    pickle.text("cpu"),
    pickle.int(count),
  );
  return pickle.call(
    pickle.global("torch._utils", "_rebuild_tensor_v2"),
    concat(id, "Q"),
    pickle.int(first),
    pickle.tuple(...shape.map(pickle.int)),
    pickle.tuple(...strides.map(pickle.int)),
    concat(0x89),
    pickle.call(pickle.global("collections", "OrderedDict")),
  );
}

/** An entry of an archive. */
export interface ZipPart {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Zeros after the bytes, which count as the entry's data and need no disk space. */
  readonly zeros?: number;
  readonly method?: number;
  readonly flags?: number;
}

/** Bytes with their position in a file. */
export interface Placed {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** A stored archive with zip64 records throughout, as PyTorch writes it. */
export function zipLayout(parts: readonly ZipPart[]): Placed[] {
  const placed: Placed[] = [];
  const directory: Uint8Array[] = [];
  let position = 0;
  for (const { name, bytes, zeros = 0, method = 0, flags = 0 } of parts) {
    const size = bytes.byteLength + zeros;
    const shared = concat(uint(45, 2), uint(flags, 2), uint(method, 2), uint(0, 4), uint(0, 4));
    const header = concat("PK\u0003\u0004", shared, uint(0xffffffff, 4), uint(0xffffffff, 4), uint(name.length, 2));
    directory.push(
      concat("PK\u0001\u0002", uint(45, 2), shared, uint(0xffffffff, 4), uint(0xffffffff, 4), uint(name.length, 2)),
      concat(uint(28, 2), uint(0, 2), uint(0, 2), uint(0, 2), uint(0, 4), uint(0xffffffff, 4), name),
      concat(uint(1, 2), uint(24, 2), uint(size, 8), uint(size, 8), uint(position, 8)),
    );
    const local = concat(header, uint(0, 2), name, bytes);
    placed.push({ position, bytes: local });
    position += local.byteLength + zeros;
  }
  const entries = concat(...directory);
  const count = uint(parts.length, 8);
  const end64 = concat("PK\u0006\u0006", uint(44, 8), uint(45, 2), uint(45, 2), uint(0, 8), count, count);
  const end = concat(end64, uint(entries.byteLength, 8), uint(position, 8));
  const locator = concat("PK\u0006\u0007", uint(0, 4), uint(position + entries.byteLength, 8), uint(1, 4));
  const last = concat("PK\u0005\u0006", uint(0, 4), uint(0xffff, 2), uint(0xffff, 2), uint(0xffffffff, 4));
  placed.push({ position, bytes: concat(entries, end, locator, last, uint(0xffffffff, 4), uint(0, 2)) });
  return placed;
}

/** An archive in memory. */
export function zipBytes(parts: readonly ZipPart[]): Uint8Array {
  return concat(...zipLayout(parts).map(({ bytes }) => bytes));
}

/** A torch checkpoint in memory: a pickle and its storages by key. */
export function torchZip(root: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = {}): Uint8Array {
  return zipBytes([
    { name: "archive/data.pkl", bytes: pickle.file(root) },
    ...Object.entries(storages).map(([key, bytes]) => ({ name: `archive/data/${key}`, bytes })),
  ]);
}

/** Writes only the given pieces; what lies between them are holes, which read as zeros. */
export async function writeSparse(path: string, placed: readonly Placed[], size?: number): Promise<void> {
  const file = await open(path, "w");
  try {
    for (const { position, bytes } of placed) await file.write(bytes, 0, bytes.byteLength, position);
    if (size !== undefined) await file.truncate(size);
  } finally {
    await file.close();
  }
}

/** A safetensors file in memory. */
export function safetensorsBytes(header: unknown, data = new Uint8Array()): Uint8Array {
  const json = Buffer.from(JSON.stringify(header));
  return concat(uint(json.byteLength, 8), json, data);
}
