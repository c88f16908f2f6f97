/** Regular files; pipes and devices, which may never end, are refused (Node only). */
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

/** A file that is open for reading. */
export interface OpenFile {
  readonly handle: FileHandle;
  readonly size: number;
}

/**
 * Opens a file; rejects with the system's error, or with one like it, whose `code` is "not a regular file", for a folder, a
 * pipe or a device. Where a pipe is welcome (`--prompts`, `--calibration`) files are opened otherwise.
 */
export async function openRegularFile(path: string): Promise<OpenFile> {
  // Opened to read alone, a pipe waits for a writer, perhaps for ever. Windows has neither such pipes nor the flag.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await handle.stat();
    if (found.isFile()) return { handle, size: found.size };
    throw Object.assign(new Error(`${path} is not a regular file`), { code: "not a regular file" });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A file's bytes; rejects as {@link openRegularFile} does. */
export async function readRegularFile(path: string): Promise<Buffer> {
  const { handle } = await openRegularFile(path);
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** A file's text; rejects as {@link openRegularFile} does. */
export async function readRegularText(path: string): Promise<string> {
  return (await readRegularFile(path)).toString("utf8");
}
