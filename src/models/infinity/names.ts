/** Names of the transformer's tensors in its published checkpoints. */
import type { StoredTensor } from "../../checkpoint/tensor.js";
import { ModelError } from "../../errors.js";
import type { InfinityConfig } from "./config.js";

/** Finds a tensor by its published name; an absent one is a {@link ModelError}. */
export type Lookup = (name: string) => StoredTensor;

/** A lookup in a checkpoint's tensors. */
export function lookupIn(tensors: ReadonlyMap<string, StoredTensor>, file: string): Lookup {
  return (name) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new ModelError(`${file}: tensor ${name} is missing`);
    return tensor;
  };
}

/** The prefix of a block's tensors, by its number from 0 to depth − 1. */
export function blockPrefix({ depth, chunks }: Pick<InfinityConfig, "depth" | "chunks">, layer: number): string {
  if (chunks === 1) return `blocks.${layer}`;
  const perChunk = depth / chunks;
  return `block_chunks.${Math.floor(layer / perChunk)}.module.${layer % perChunk}`;
}
