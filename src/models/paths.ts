/** What lies at a path. */
import { stat } from "node:fs/promises";
import { ModelError } from "../errors.js";
import { noSuchPath, systemCode } from "../files/system-error.js";

/**
 * The kind and size of what lies at a path; undefined where there is nothing. Links are followed. What cannot be looked at,
 * such as a path too long for the system, is a {@link ModelError}.
 */
export async function lookAt(path: string): Promise<{ readonly folder: boolean; readonly size: number } | undefined> {
  try {
    const found = await stat(path);
    return { folder: found.isDirectory(), size: found.size };
  } catch (error) {
    if (noSuchPath(error)) return undefined;
    throw unreadable(path, error);
  }
}

/** What the system says of a path that is there and cannot be read, in one line. */
export function unreadable(path: string, error: unknown): ModelError {
  return new ModelError(`${path}: cannot be read (${systemCode(error)})`, { cause: error });
}
