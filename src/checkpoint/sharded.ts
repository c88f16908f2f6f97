/**
 * Checkpoints in several files. An index (`model.safetensors.index.json`, `pytorch_model.bin.index.json`) maps every
 * tensor to the file that holds it: {"weight_map": {TENSOR: FILE}}, as Hugging Face's transformers writes it.
 */
import { CheckpointError } from "../errors.js";
import type { Checkpoint } from "./checkpoint.js";
import { ByteCursor, quoted, shown } from "./cursor.js";
import { openCheckpointSource } from "./format.js";
import { parseObject } from "./json.js";
import type { ByteSource } from "./source.js";
import type { StoredTensor } from "./tensor.js";

/** Names of indexes. */
export const INDEX = /\.(safetensors|bin)\.index\.json$/;

/** As for the header of a safetensors file, which says the same and more. */
const MAX_INDEX_BYTES = 100_000_000;

/**
 * Opens the shards an index names and joins their tensors.
 *
 * @param openShard opens a file beside the index, by its plain name
 * @throws CheckpointError for a malformed index, a missing or damaged shard, or a tensor that its shard lacks; every
 *   shard opened by then is closed
 */
export async function openSharded(
  index: ByteSource,
  openShard: (file: string) => Promise<ByteSource>,
): Promise<Checkpoint> {
  const weightMap = await readWeightMap(index);
  const shards = new Map<string, Checkpoint>();
  const sources: ByteSource[] = [];
  try {
    for (const file of new Set(weightMap.values())) {
      const source = await openShard(file);
      sources.push(source);
      shards.set(file, await openCheckpointSource(source));
    }
    const tensors = new Map<string, StoredTensor>();
    for (const [name, file] of weightMap) tensors.set(name, findTensor(index, shards.get(file), name, file));
    return { path: index.name, format: "sharded", tensors, sources };
  } catch (error) {
    await Promise.all(sources.map((source) => source.close()));
    throw error;
  }
}

function findTensor(index: ByteSource, shard: Checkpoint | undefined, name: string, file: string): StoredTensor {
  const tensor = shard?.tensors.get(name);
  if (!tensor) throw new CheckpointError(`${index.name}: tensor ${quoted(name)} is not in its shard ${quoted(file)}`);
  return tensor;
}

async function readWeightMap(index: ByteSource): Promise<ReadonlyMap<string, string>> {
  if (index.size > MAX_INDEX_BYTES) {
    throw new CheckpointError(`${index.name}: an index of ${index.size} bytes, the limit is ${MAX_INDEX_BYTES}`);
  }
  const text = new ByteCursor(await index.read(0, index.size), index.name).text(index.size);
  const { weight_map: weightMap } = parseObject(text, index.name) as { weight_map?: unknown };
  if (typeof weightMap !== "object" || weightMap === null) {
    throw new CheckpointError(`${index.name}: no "weight_map" from tensors to files`);
  }
  return new Map(Object.entries(weightMap).map(([name, file]) => [name, plainFile(index, file)]));
}

/** Shards lie beside their index: a path out of its folder is refused. */
function plainFile(index: ByteSource, file: unknown): string {
  if (typeof file !== "string" || !/^[\w. -]*\w$/.test(file)) {
    throw new CheckpointError(`${index.name}: shard ${shown(file)} is not a plain file name`);
  }
  return file;
}
