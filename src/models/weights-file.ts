/**
 * A file of kept weights: a header that says what it is, how long it must be and what its bytes add up to, and the bytes. It
 * is written under another name, forced to the disk and renamed, so that it is never half there.
 *
 * Checked are all bytes of a file up to {@link WHOLE}, and of a larger one a page in every {@link STRIDE} bytes and the last:
 * a GiB takes 1.6 s with SHA-1, each time it is loaded, and a sixty-fourth of it 0.2 s. So a part of a disk that came back
 * empty is noticed, and a single byte behind the first pages of a large file mostly is not.
 */
import { createHash, randomUUID } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { noSuchFile } from "../files/system-error.js";

/** The header's bytes: a page, so that weights begin where files are mapped best. */
export const HEADER_BYTES = 4096;
const MAGIC = "scalekv weights 2";
const PAGE = 4096;
const WHOLE = 4 * 2 ** 20;
const STRIDE = 64 * PAGE;

const SUFFIX = ".weights";
/** Names of ours; those of files under way have the second part. */
const OURS = /^[0-9a-f]{64}\.weights(\.[0-9a-f-]{36}\.part)?$/;

/** What weights are called of which all depends on `identity`. */
export function weightsFileName(identity: string): string {
  return createHash("sha256").update(identity).digest("hex") + SUFFIX;
}

/** What a name says: a whole file, one under way, or undefined for a file of somebody else. */
export function weightsFileKind(name: string): "whole" | "under way" | undefined {
  const found = OURS.exec(name);
  return found ? (found[1] === undefined ? "whole" : "under way") : undefined;
}

/** Whether a file is there with `size` bytes behind its header, as it was written; see the file's head for what is checked. */
export async function isWhole(path: string, size: number): Promise<boolean> {
  const file = await open(path).catch(ignoreMissing);
  if (!file) return false;
  try {
    if ((await file.stat()).size !== HEADER_BYTES + size) return false;
    const found = await readAt(file, 0, HEADER_BYTES);
    const read = (start: number, end: number): Promise<Uint8Array> => readAt(file, HEADER_BYTES + start, end - start);
    return Buffer.compare(found, header(path, size, await checksum(size, read))) === 0;
  } finally {
    await file.close();
  }
}

/** Writes a file in one step; what goes wrong leaves nothing behind. */
export async function writeWhole(path: string, data: Uint8Array): Promise<void> {
  const sum = await checksum(data.byteLength, (start, end) => Promise.resolve(data.subarray(start, end)));
  const temporary = `${path}.${randomUUID()}.part`;
  try {
    await writeAll(temporary, [header(path, data.byteLength, sum), data]);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** What a file begins with: lines for people, what it must be, and a checksum of them. */
function header(path: string, size: number, sum: string): Uint8Array {
  const said = `${MAGIC}\n${path.slice(-64 - SUFFIX.length, -SUFFIX.length)}\n${size}\n${sum}\n`;
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(new TextEncoder().encode(said + createHash("sha256").update(said).digest("hex")));
  return bytes;
}

/** Of the bytes that are checked. */
async function checksum(size: number, read: (start: number, end: number) => Promise<Uint8Array>): Promise<string> {
  const hash = createHash("sha1");
  if (size <= WHOLE) return hash.update(await read(0, size)).digest("hex");
  const starts = Array.from({ length: Math.floor(size / STRIDE) }, (_, i) => i * STRIDE);
  const pages = [...starts, size - PAGE].map((start) => read(start, start + PAGE));
  for (const page of await Promise.all(pages)) hash.update(page);
  return hash.digest("hex");
}

/** A file that ends early is one of other bytes. */
async function readAt(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}

async function writeAll(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file: FileHandle = await open(path, "wx");
  try {
    for (const part of parts) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** For the system's calls: what is not there is undefined. */
export function ignoreMissing(error: unknown): undefined {
  if (!noSuchFile(error)) throw error;
}
