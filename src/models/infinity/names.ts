/** Names of the transformer's tensors in its published checkpoints. */
import type { InfinityConfig } from "./config.js";

/** The prefix of a block's tensors, by its number from 0 to depth − 1. */
export function blockPrefix({ depth, chunks }: Pick<InfinityConfig, "depth" | "chunks">, layer: number): string {
  if (chunks === 1) return `blocks.${layer}`;
  const perChunk = depth / chunks;
  return `block_chunks.${Math.floor(layer / perChunk)}.module.${layer % perChunk}`;
}
