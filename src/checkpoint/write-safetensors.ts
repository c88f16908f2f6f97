/** Writing safetensors: what traces, caches and tests leave behind (Node only). The format is read in safetensors.ts. */
import { randomUUID } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CheckpointError } from "../errors.js";
import { systemCode } from "../files/system-error.js";
import { quoted } from "./cursor.js";
import { METADATA } from "./safetensors.js";
import { elementCount } from "./tensor.js";

/** Values to write; `data` holds exactly the elements of the shape, row-major. */
export interface WritableTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
}

/** The header's length is a multiple of this many bytes, so that the data begins aligned for every type. */
const HEADER_ALIGNMENT = 8;

/**
 * Writes tensors to a file that appears only when it is complete: they go to a temporary name beside it, then the file
 * is renamed. Tensors are written one after another from their own memory, largest element type first, so that each
 * begins at a multiple of its element size.
 *
 * @param tensors pairs of name and values: a Map, or `Object.entries` of a record
 * @param metadata texts about the file as a whole
 * @throws CheckpointError where data does not fill its shape, a name comes twice, or the file cannot be written
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [string, WritableTensor]>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const ordered = [...tensors].sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const header = encodeHeader(path, ordered, metadata);
  // No part of the file's name, to which the system may allow no more letters.
  const temporary = join(dirname(path), `.${randomUUID()}.part`);
  try {
    await writeAll(temporary, [header, ...ordered.map(([, { data }]) => bytesOf(data))]);
    await rename(temporary, path);
  } catch (error) {
    // What could not be made may not be removable either; the first reason is the one that counts.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new CheckpointError(`${path}: cannot be written (${systemCode(error)})`, { cause: error });
  }
}

/** Length and JSON, padded with spaces. */
function encodeHeader(
  path: string,
  tensors: readonly (readonly [string, WritableTensor])[],
  metadata: Readonly<Record<string, string>> | undefined,
): Uint8Array {
  const entries = new Map<string, unknown>();
  if (metadata) entries.set(METADATA, metadata);
  let end = 0;
  for (const [name, { shape, data }] of tensors) {
    const refuse = (problem: string) => new CheckpointError(`${path}: tensor ${quoted(name)}: ${problem}`);
    if (name === METADATA || entries.has(name)) throw refuse("the name is taken");
    if (elementCount(shape) !== data.length) throw refuse(`[${shape.join(", ")}] cannot hold ${data.length} elements`);
    const start = end;
    end += data.byteLength;
    entries.set(name, { dtype: dtypeOf(data), shape, data_offsets: [start, end] });
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const length = Math.ceil(json.byteLength / HEADER_ALIGNMENT) * HEADER_ALIGNMENT;
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return header;
}

function dtypeOf(data: WritableTensor["data"]): string {
  if (data instanceof Float32Array) return "F32";
  if (data instanceof Int32Array) return "I32";
  return data instanceof BigInt64Array ? "I64" : "U8";
}

function bytesOf({ buffer, byteOffset, byteLength }: WritableTensor["data"]): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function writeAll(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, "wx");
  try {
    for (const part of parts) await writePart(file, part);
  } finally {
    await file.close();
  }
}

/** One write call takes at most 2 GiB and may take less than it was given. */
async function writePart(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.byteLength - done, 2 ** 30));
    done += bytesWritten;
  }
}
