/** Checkpoints by their path on disk: a file, an index of shards, or a folder that holds one checkpoint (Node only). */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CheckpointError } from "../errors.js";
import type { Checkpoint } from "./checkpoint.js";
import { quoted } from "./cursor.js";
import { openFile } from "./file-source.js";
import { openCheckpointSource } from "./open.js";
import { openSharded } from "./sharded.js";
import type { ByteSource } from "./source.js";

const INDEX = /\.(safetensors|bin)\.index\.json$/;
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
  if (!INDEX.test(file)) return withSource(file, openCheckpointSource);
  const index = await openFile(file);
  try {
    return await openSharded(index, (shard) => openFile(join(dirname(file), shard)));
  } finally {
    await index.close();
  }
}
