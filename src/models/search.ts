/** Finds the checkpoints in a folder on disk (Node only). */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { INDEX } from "../checkpoint/sharded.js";
import { CheckpointError, ModelError } from "../errors.js";
import { lookAt, unreadable } from "./paths.js";
import type { Candidate, Shelf } from "./shelf.js";

/** What a folder holds. */
export interface FolderContents {
  readonly candidates: readonly Candidate[];
  /** Files that look like checkpoints and are of no use, with the reason. */
  readonly others: readonly string[];
}

/**
 * Opens every checkpoint in a folder and in the folders right below it. One that cannot be read does not stop the
 * search, since nobody may need it.
 */
export async function searchFolder(folder: string, shelf: Shelf): Promise<FolderContents> {
  const candidates: Candidate[] = [];
  const others: string[] = [];
  for (const path of await checkpointPaths(folder, (unread) => others.push(unread))) {
    try {
      const candidate = await shelf.open(path);
      if (candidate) candidates.push(candidate);
      else others.push(`${path}: no part of a model`);
    } catch (error) {
      if (!(error instanceof CheckpointError || error instanceof ModelError)) throw error;
      others.push(error.message);
    }
  }
  return { candidates, others };
}

/**
 * The checkpoints in a folder and in the folders right below it, in the order of their names. Of a folder below that
 * cannot be read `onUnread` is told, with the reason; the folder itself must be readable, or a {@link ModelError} is thrown.
 */
export async function checkpointPaths(folder: string, onUnread?: (reason: string) => void): Promise<string[]> {
  const names = await namesIn(folder);
  const paths = inOneFolder(folder, names);
  for (const name of names) {
    const below = join(folder, name);
    try {
      if ((await lookAt(below))?.folder) paths.push(...inOneFolder(below, await namesIn(below)));
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      onUnread?.(error.message);
    }
  }
  return paths;
}

/** Sorted. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    throw unreadable(folder, error);
  }
}

const CHECKPOINT = /\.(pth|pt|safetensors|bin)$/;

/** One of several files that an index joins. */
const SHARD = /-\d{5}-of-\d{5}\.\w+$/;

/**
 * The shards of an index are no checkpoints of their own, the index is. Repositories on the Hub hold the same weights
 * as `model.safetensors` and `pytorch_model.bin`; the first is taken.
 */
function inOneFolder(folder: string, names: readonly string[]): string[] {
  const whole = names.filter((name) => INDEX.test(name) || (CHECKPOINT.test(name) && !SHARD.test(name)));
  const twice = whole.some((name) => /^model\.safetensors(\.index\.json)?$/.test(name));
  return whole.filter((name) => !(twice && name.startsWith("pytorch_model.bin"))).map((name) => join(folder, name));
}
