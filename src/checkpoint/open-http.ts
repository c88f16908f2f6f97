/** Checkpoints by their address on a web server: a file, or an index of shards. */
import type { Checkpoint } from "./checkpoint.js";
import { openCheckpointSource } from "./format.js";
import { openHttp } from "./http-source.js";
import { INDEX, openSharded } from "./sharded.js";

/**
 * Opens the checkpoint at an absolute address. Only directories are fetched; weights follow when they are read.
 *
 * Errors: `CheckpointError` for a file that is no checkpoint or a damaged one, `DownloadError` as {@link openHttp}.
 */
export async function openCheckpointAt(address: string): Promise<Checkpoint> {
  const source = await openHttp(address);
  if (!INDEX.test(new URL(address).pathname)) return openCheckpointSource(source);
  return openSharded(source, (shard) => openHttp(new URL(shard, address).href));
}
