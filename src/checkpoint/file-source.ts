/** Files on disk as byte sources (Node only). */
import { createHash } from "node:crypto";
import { open, realpath, type FileHandle } from "node:fs/promises";
import { CheckpointError } from "../errors.js";
import { checkRange, type ByteSource } from "./source.js";

/** Bytes at both ends of a file that its fingerprint is made of: headers at the one, zip's checksums at the other. */
const END_BYTES = 2 ** 16;

class FileSource implements ByteSource {
  constructor(
    readonly name: string,
    readonly path: string,
    readonly size: number,
    private readonly handle: FileHandle,
  ) {}

  async read(offset: number, length: number): Promise<Uint8Array> {
    checkRange(this, offset, length);
    const bytes = new Uint8Array(length);
    // One read call returns at most 2 GiB, so go on until the range is full.
    for (let done = 0; done < length;) {
      const part = Math.min(length - done, 1 << 30);
      const { bytesRead } = await this.handle.read(bytes, done, part, offset + done);
      if (bytesRead === 0) throw new CheckpointError(`${this.name}: the file became shorter while it was read`);
      done += bytesRead;
    }
    return bytes;
  }

  /** Size, time of the last change, and both ends; all of a checkpoint of 33 GB would take a minute to read. */
  async fingerprint(): Promise<string> {
    const { mtimeNs } = await this.handle.stat({ bigint: true });
    const ends = Math.min(END_BYTES, this.size);
    return createHash("sha256")
      .update(`${this.size} ${mtimeNs} `)
      .update(await this.read(0, ends))
      .update(await this.read(this.size - ends, ends))
      .digest("hex");
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** Opens a file for positional reading; symbolic links (the Hugging Face cache is made of them) are resolved. */
export async function openFile(path: string): Promise<ByteSource> {
  try {
    const real = await realpath(path);
    const handle = await open(real, "r");
    return new FileSource(path, real, await sizeOf(handle), handle);
  } catch (error) {
    throw new CheckpointError(`${path}: cannot be opened (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
  }
}

/** The file's size in bytes; where it cannot be had the file is closed. */
async function sizeOf(handle: FileHandle): Promise<number> {
  try {
    return (await handle.stat()).size;
  } catch (error) {
    await handle.close();
    throw error;
  }
}
