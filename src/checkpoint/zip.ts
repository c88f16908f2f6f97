/**
 * The directory of a ZIP archive as torch.save writes it: entries stored without compression, so every one is a byte
 * range of the file. Format: PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3 (zip64, for archives beyond 4 GiB).
 */
import { CheckpointError } from "../errors.js";
import { ByteCursor, quoted } from "./cursor.js";
import type { ByteSource } from "./source.js";

/** Where an entry's bytes lie in the archive. */
export interface ZipEntry {
  readonly offset: number;
  readonly size: number;
}

/** What the end of the archive says about its directory. */
interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly entries: number;
}

interface DirectoryEntry {
  readonly name: string;
  /** Length of the name in the archive. */
  readonly nameBytes: number;
  /** Byte of the local header, which precedes the data. */
  readonly header: number;
  readonly size: number;
}

const LOCAL_SIGNATURE = 0x04034b50;
const ENTRY_SIGNATURE = 0x02014b50;
const END_SIGNATURE = 0x06054b50;
const LOCATOR64_SIGNATURE = 0x07064b50;
const END64_SIGNATURE = 0x06064b50;

const LOCAL_BYTES = 30;
const ENTRY_BYTES = 46;
const END_BYTES = 22;
const LOCATOR64_BYTES = 20;
const END64_BYTES = 56;
const MAX_COMMENT_BYTES = 0xffff;

/** In a 32-bit field: the true value is in the zip64 record. */
const IN_ZIP64 = 0xffffffff;
const ZIP64_EXTRA = 1;

/** Local headers read side by side: from a server each one is a round trip, and a checkpoint has a thousand. */
const HEADERS_AT_ONCE = 32;

/** Directories are read whole; published ones take about 100 bytes for each of at most some thousand tensors. */
const MAX_DIRECTORY_BYTES = 16 * 2 ** 20;

/**
 * Entries by name, with the offsets of their data.
 *
 * @throws CheckpointError for a truncated or damaged archive, for compressed, encrypted or duplicate entries, and for
 *   entries that share bytes.
 */
export async function readZipDirectory(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const directory = await findDirectory(source);
  const cursor = new ByteCursor(await source.read(directory.offset, directory.size), `${source.name}: zip directory`);
  const listed = new Map<string, DirectoryEntry>();
  for (let i = 0; i < directory.entries; i++) {
    const entry = readEntry(source, cursor);
    if (listed.has(entry.name)) throw cursor.error(`two entries are named ${quoted(entry.name)}`);
    listed.set(entry.name, entry);
  }
  return placeEntries(source, [...listed.values()], directory.offset);
}

/** Adds to every entry where its data begins, which only its local header tells. */
async function placeEntries(
  source: ByteSource,
  listed: readonly DirectoryEntry[],
  limit: number,
): Promise<ReadonlyMap<string, ZipEntry>> {
  const entries = new Map<string, ZipEntry>();
  for (let i = 0; i < listed.length; i += HEADERS_AT_ONCE) {
    const some = listed.slice(i, i + HEADERS_AT_ONCE);
    const offsets = await Promise.all(some.map((entry) => dataOffset(source, entry, limit)));
    some.forEach(({ name, size }, j) => entries.set(name, { offset: offsets[j]!, size }));
  }
  checkOverlap(source, listed, entries);
  return entries;
}

/** Entries that share bytes would give a tensor another one's values. Between entries there may be anything. */
function checkOverlap(
  source: ByteSource,
  listed: readonly DirectoryEntry[],
  entries: ReadonlyMap<string, ZipEntry>,
): void {
  let end = 0;
  for (const { name, header } of [...listed].sort((a, b) => a.header - b.header)) {
    if (header < end) {
      throw new CheckpointError(
        `${source.name}: zip entry ${quoted(name)} begins at byte ${header}, the one before it ends at ${end}`,
      );
    }
    const { offset, size } = entries.get(name)!;
    end = offset + size;
  }
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const tailBytes = Math.min(source.size, LOCATOR64_BYTES + END_BYTES + MAX_COMMENT_BYTES);
  const tailStart = source.size - tailBytes;
  const cursor = new ByteCursor(await source.read(tailStart, tailBytes), `${source.name}: zip end`);
  const end = findEnd(cursor);
  cursor.position = end + 10;
  const directory = { entries: cursor.u16(), size: cursor.u32(), offset: cursor.u32() };
  const zip64 = await findDirectory64(source, cursor, end - LOCATOR64_BYTES);
  const { offset, size, entries } = zip64 ?? directory;
  if (offset + size > tailStart + end) {
    throw cursor.error(`the directory (bytes ${offset} to ${offset + size}) is cut off or overlaps its end record`);
  }
  if (size > MAX_DIRECTORY_BYTES || entries * ENTRY_BYTES > size) {
    throw cursor.error(`a directory of ${entries} entries in ${size} bytes (limit ${MAX_DIRECTORY_BYTES})`);
  }
  return { offset, size, entries };
}

/** Position of the end record: the last one whose comment reaches exactly to the end of the file. */
function findEnd(cursor: ByteCursor): number {
  const length = cursor.bytes.byteLength;
  for (let position = length - END_BYTES; position >= 0; position--) {
    if (cursor.bytes[position] !== 0x50) continue;
    cursor.position = position;
    if (cursor.u32() !== END_SIGNATURE) continue;
    cursor.position = position + END_BYTES - 2;
    if (cursor.u16() === length - position - END_BYTES) return position;
  }
  throw cursor.error("no directory at the end of the archive; the file is truncated");
}

/** The zip64 form of the directory's place, if a locator stands before the end record. */
async function findDirectory64(source: ByteSource, tail: ByteCursor, locator: number): Promise<Directory | undefined> {
  if (locator < 0) return undefined;
  tail.position = locator;
  if (tail.u32() !== LOCATOR64_SIGNATURE) return undefined;
  tail.position += 4; // number of the disk
  const end64 = new ByteCursor(await source.read(tail.u64(), END64_BYTES), `${source.name}: zip64 end`);
  if (end64.u32() !== END64_SIGNATURE) throw end64.error("the zip64 record is not where the locator says");
  end64.position = 32;
  return { entries: end64.u64(), size: end64.u64(), offset: end64.u64() };
}

function readEntry(source: ByteSource, cursor: ByteCursor): DirectoryEntry {
  if (cursor.u32() !== ENTRY_SIGNATURE) throw cursor.error("an entry has a wrong signature");
  cursor.position += 4; // versions
  const flags = cursor.u16();
  const method = cursor.u16();
  cursor.position += 8; // time, date, CRC-32 (torch itself may leave it unset)
  const packed = cursor.u32();
  const unpacked = cursor.u32();
  const nameBytes = cursor.u16();
  const extraBytes = cursor.u16();
  const commentBytes = cursor.u16();
  cursor.position += 8; // disk, attributes
  const header = cursor.u32();
  const name = cursor.text(nameBytes);
  const zip64 = readZip64Field(source, cursor, extraBytes);
  // The field holds, in this order, the values that do not fit 32 bits, and no others.
  const wide = (value: number) => (value === IN_ZIP64 && zip64 ? zip64.u64() : value);
  const [size, packedSize, offset] = [wide(unpacked), wide(packed), wide(header)];
  cursor.take(commentBytes);
  if (flags & 1) throw cursor.error(`entry ${quoted(name)} is encrypted`);
  if (method !== 0) throw cursor.error(`entry ${quoted(name)} is compressed (method ${method}); only stored is read`);
  if (size !== packedSize) throw cursor.error(`entry ${quoted(name)} is stored in ${packedSize} bytes but has ${size}`);
  return { name, nameBytes, header: offset, size };
}

/** The zip64 field among an entry's extra fields, each an id, a length and that many bytes. */
function readZip64Field(source: ByteSource, cursor: ByteCursor, length: number): ByteCursor | undefined {
  const extra = new ByteCursor(cursor.take(length), `${source.name}: zip extra field`);
  while (extra.remaining >= 4) {
    const id = extra.u16();
    const field = extra.take(extra.u16());
    if (id === ZIP64_EXTRA) return new ByteCursor(field, `${source.name}: zip64 field`);
  }
  return undefined;
}

/**
 * Byte of the entry's data: past the local header, whose extra field (torch pads with it) may differ in length. Its name
 * may not: a wrong position in the directory would give a tensor another one's values.
 */
async function dataOffset(source: ByteSource, entry: DirectoryEntry, limit: number): Promise<number> {
  const { name, nameBytes, header, size } = entry;
  const local = await source.read(header, LOCAL_BYTES + nameBytes);
  const cursor = new ByteCursor(local, `${source.name}: zip entry ${quoted(name)}`);
  if (cursor.u32() !== LOCAL_SIGNATURE) throw cursor.error(`no local header at byte ${header}`);
  cursor.position = 26;
  const [localNameBytes, extraBytes] = [cursor.u16(), cursor.u16()];
  if (localNameBytes !== nameBytes || cursor.text(nameBytes) !== name) {
    throw cursor.error(`the local header at byte ${header} has another name`);
  }
  const offset = header + LOCAL_BYTES + nameBytes + extraBytes;
  if (offset + size > limit) {
    throw new CheckpointError(
      `${source.name}: zip entry ${quoted(name)} ends at byte ${offset + size}, the directory begins at ${limit}`,
    );
  }
  return offset;
}
