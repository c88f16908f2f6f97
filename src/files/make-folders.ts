/** Folders that may have to be made with those above them (Node only). */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { noSuchFile } from "./system-error.js";

/**
 * Makes a folder, if need be with those above it; rejects with the system's error where there is none afterwards. Node's own
 * `recursive` (20) asks for ever where the system says of a folder that is there that it has none above it, as `/proc` does.
 */
export async function makeFolders(folder: string): Promise<void> {
  const above = dirname(folder);
  try {
    await mkdir(folder);
  } catch (error) {
    if (!noSuchFile(error) || above === folder) return requireFolder(folder, error);
    await makeFolders(above);
    await mkdir(folder).catch((again: unknown) => requireFolder(folder, again));
  }
}

/** What could not be made may be there already: from before, or as another process was faster. */
async function requireFolder(folder: string, error: unknown): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory()) throw error;
}
