/**
 * How keys and values are stored, and what that takes. Whatever the type, layers compute in float32: the stored form is widened
 * inside the graph that reads it and narrowed inside the graph that writes it (`storage-graph.ts`), so the cache exists in its
 * narrow form only.
 */
import { CACHE_LAYOUTS, fineBytes, FINE_TOKENS, tokenBytes, type StorageType } from "../budget/memory.js";
import type { ElementType } from "../graph/model.js";

export { FINE_TOKENS, STORAGE_TYPES, type StorageType } from "../budget/memory.js";

/** The element type of a stored array. */
export const STORED_ELEMENT: Readonly<Record<StorageType, ElementType>> = {
  fp32: "float32",
  fp16: "float16",
  int8: "int8",
};

/**
 * Bytes that one token takes in one layer and row: keys and values of `heads` heads of `dim` channels, and their scales;
 * without the second byte that the first ones have in int8 ({@link bytesOfFine}).
 */
export function bytesPerToken(storage: StorageType, heads: number, dim: number): number {
  return tokenBytes({ width: heads * dim, heads, rows: 1 }, CACHE_LAYOUTS[storage]);
}

/** Bytes of that second byte in one layer and row, of one of the first tokens or of all there are among `tokens`. */
export function bytesOfFine(storage: StorageType, heads: number, dim: number, tokens = 1): number {
  return fineBytes({ width: heads * dim, heads, rows: 1 }, CACHE_LAYOUTS[storage], tokens);
}

/** What tells how a slot's tokens lie in its cache. */
export interface StoredShape {
  readonly storage: StorageType;
  readonly heads: number;
  readonly dim: number;
  /** Cached tokens may stand for several. Default false. */
  readonly merging?: boolean | undefined;
}

/** The name of a head's tensor, such as `past_k.3`; of a whole layer's, where `head` is undefined, the bare name. */
export function headName(name: string, head: number | undefined): string {
  return head === undefined ? name : `${name}.${head}`;
}

/** How many tokens of a slot have a second byte. */
export function fineTokens(tokens: number): number {
  return Math.min(tokens, FINE_TOKENS);
}

/**
 * New tokens that come to be among the first of a slot, [places]: 1 where they are among the first that ever came. `past`
 * tokens are cached of `before` that came.
 */
export function fineKnown(past: number, before: number, fresh: number): Float32Array {
  const places = fineTokens(past + fresh) - fineTokens(past);
  return Float32Array.from({ length: places }, (_, token) => (before + token < FINE_TOKENS ? 1 : 0));
}
