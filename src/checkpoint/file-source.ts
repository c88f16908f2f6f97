/** Files on disk as byte sources (Node only). */
import { createHash } from "node:crypto";
import { realpath, type FileHandle } from "node:fs/promises";
import { CheckpointError } from "../errors.js";
import { openRegularFile } from "../files/read-file.js";
import { systemCode } from "../files/system-error.js";
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
  private readonly failed = (error: unknown): never => {
    throw new CheckpointError(`${this.name}: cannot be read (${systemCode(error)})`, { cause: error });
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
    const { handle, size } = await openRegularFile(real);
    return new FileSource(path, real, size, handle);
  } catch (error) {
    throw new CheckpointError(`${path}: cannot be opened (${systemCode(error)})`, { cause: error });
  }
}
