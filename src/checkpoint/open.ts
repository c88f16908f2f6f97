/** Checkpoints by their path on disk: a file, an index of shards, or a folder that holds one checkpoint (Node only). */
import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CheckpointError } from "../errors.js";
import { systemCode } from "../files/system-error.js";
import type { Checkpoint } from "./checkpoint.js";
import { quoted } from "./cursor.js";
import { openFile } from "./file-source.js";
import { openCheckpointSource } from "./format.js";
import { INDEX, openSharded } from "./sharded.js";

const CHECKPOINT = /\.(safetensors|pth|pt|bin|ckpt)$/;

/** One of several files that an index joins. */
const SHARD = /-\d{5}-of-\d{5}\.\w+$/;

/** Hugging Face's names for the same weights in two formats; where both lie in a folder, safetensors is the one read. */
const HUGGING_FACE = /^model\.safetensors(\.index\.json)?$/;
const HUGGING_FACE_TORCH = /^pytorch_model\.bin(\.index\.json)?$/;

/**
 * Opens a checkpoint by its path; close it with {@link closeCheckpoint}.
 *
 * @param path a checkpoint file, a `*.index.json`, or a folder with exactly one of them
 * @throws CheckpointError naming the path and what is wrong with it; no file stays open then
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const file = (await isFolder(path)) ? join(path, await onlyCheckpoint(path)) : path;
  return INDEX.test(file) ? openIndex(file) : openSingle(file);
}

async function openSingle(file: string): Promise<Checkpoint> {
  const source = await openFile(file);
  try {
    return await openCheckpointSource(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openIndex(file: string): Promise<Checkpoint> {
  const index = await openFile(file);
  try {
    return await openSharded(index, (shard) => openFile(join(dirname(file), shard)));
  } finally {
    await index.close();
  }
}

/** Pipes and devices are refused: opening one could wait for ever. */
async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new CheckpointError(`${path}: no such file or folder, or no permission to see it`);
  if (!found.isFile() && !found.isDirectory()) throw new CheckpointError(`${path}: neither a file nor a folder`);
  return found.isDirectory();
}

/** Name of the one checkpoint in a folder. */
async function onlyCheckpoint(folder: string): Promise<string> {
  const names = (await namesIn(folder)).sort();
  const whole = names.filter((name) => INDEX.test(name) || (CHECKPOINT.test(name) && !SHARD.test(name)));
  const twice = whole.some((name) => HUGGING_FACE.test(name));
  const found = twice ? whole.filter((name) => !HUGGING_FACE_TORCH.test(name)) : whole;
  const [only] = found;
  if (only === undefined) {
    throw new CheckpointError(`${folder}: no checkpoint in this folder (*.pth, *.safetensors, …)`);
  }
  if (found.length > 1) {
    throw new CheckpointError(`${folder}: ${found.length} checkpoints, name one of them: ${quoted(found.join(", "))}`);
  }
  return only;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    throw new CheckpointError(`${folder}: cannot be read (${systemCode(error)})`);
  }
}
