/** What lies at a path. */
import { stat } from "node:fs/promises";

/** The kind and size of what lies at a path; undefined where there is nothing. Links are followed. */
export async function lookAt(path: string): Promise<{ readonly folder: boolean; readonly size: number } | undefined> {
  try {
    const found = await stat(path);
    return { folder: found.isDirectory(), size: found.size };
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
