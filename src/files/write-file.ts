/** Files that are whole or not there (Node only). */
import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Writes a file in one step: a reader sees the old one or the whole new one. Rejects with the system's error and leaves nothing then. */
export async function writeInOneStep(path: string, data: string | Uint8Array): Promise<void> {
  // No part of the file's name, to which the system may allow no more letters.
  const temporary = join(dirname(path), `.${randomUUID()}.part`);
  try {
    await writeFile(temporary, data, { flag: "wx" });
    await rename(temporary, path);
  } catch (error) {
    // What could not be made may not be removable either; the first reason is the one that counts.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}
