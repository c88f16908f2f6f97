/** Files on disk as byte sources (Node only). */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
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
      const { bytesRead } = await this.handle.read(bytes, done, part, offset + done).catch(this.failed);
      if (bytesRead === 0) throw new CheckpointError(`${this.name}: the file became shorter while it was read`);
      done += bytesRead;
    }
    return bytes;
  }

  /** Size, time of the last change, and both ends; all of a checkpoint of 33 GB would take a minute to read. */
  async fingerprint(): Promise<string> {
    const { mtimeNs } = await this.handle.stat({ bigint: true }).catch(this.failed);
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

  /** What the disk or the network behind it says (EIO, ESTALE), in one line. */
  private readonly failed = (error: NodeJS.ErrnoException): never => {
    throw new CheckpointError(`${this.name}: cannot be read (${error.code ?? "unknown"})`, { cause: error });
  };
}

/**
 * Opens a file for positional reading; symbolic links (the Hugging Face cache is made of them) are resolved.
 *
 * @throws CheckpointError for what cannot be opened, and for a folder, a pipe or a device
 */
export async function openFile(path: string): Promise<ByteSource> {
  try {
    const real = await realpath(path);
    // Opened to read alone, a pipe waits for a writer, perhaps for ever. Windows has neither such pipes nor the flag.
    const handle = await open(real, constants.O_RDONLY | constants.O_NONBLOCK);
    return new FileSource(path, real, await sizeOf(path, handle), handle);
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError(`${path}: cannot be opened (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
  }
}

/** The file's size in bytes; where it cannot be had the file is closed. */
async function sizeOf(path: string, handle: FileHandle): Promise<number> {
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new CheckpointError(`${path}: not a regular file`);
    return found.size;
  } catch (error) {
    await handle.close();
    throw error;
  }
}
