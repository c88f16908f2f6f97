/** What every reader returns: the tensors of a file or folder by name, none of them read yet. */
import type { ByteSource } from "./source.js";
import type { StoredTensor } from "./tensor.js";

/** How a checkpoint was written. */
export type CheckpointFormat = "torch-zip" | "torch-legacy" | "safetensors" | "sharded";

/** An opened checkpoint. Nested dictionaries are joined with dots: `trainer.gpt_fsdp.head.weight`. */
export interface Checkpoint {
  readonly path: string;
  readonly format: CheckpointFormat;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The sources behind the tensors; closing them ends the checkpoint's life. */
  readonly sources: readonly ByteSource[];
}

/** Gives back the files of a checkpoint; its tensors cannot be read afterwards. */
export async function closeCheckpoint(checkpoint: Checkpoint): Promise<void> {
  await Promise.all(checkpoint.sources.map((source) => source.close()));
}

/** Tensors below one of the published nestings, names without the prefix; the first prefix that has any wins. */
export function subtree(
  tensors: ReadonlyMap<string, StoredTensor>,
  prefixes: readonly string[],
): ReadonlyMap<string, StoredTensor> {
  for (const prefix of prefixes) {
    if (prefix === "") return tensors;
    const found = new Map<string, StoredTensor>();
    for (const [name, tensor] of tensors) {
      if (name.startsWith(`${prefix}.`)) found.set(name.slice(prefix.length + 1), tensor);
    }
    if (found.size > 0) return found;
  }
  return tensors;
}
