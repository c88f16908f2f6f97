/**
 * What a cache takes, by formula. Keys and values have the model's width C in every layer, so a token takes, in one
 * layer and for all rows,
 *
 *     rows × (C × (bytes of a key's element + bytes of a value's element) + 2 × heads × bytes of a scale).
 *
 * The last term is for int8, which stores one fp32 scale for every row, head and token, for keys and values each. It also
 * stores the first {@link FINE_TOKENS} tokens of a layer to a second byte, rows × C × 2 bytes more for each of them.
 */

/**
 * Tokens of a layer, the first there are, that int8 stores to a second byte: the first three scales of a square picture,
 * 1 + 4 + 16. All that comes later hangs on them, and a bit that flips there is another picture (docs/LOG.md, 2026-11-27).
 */
export const FINE_TOKENS = 21;

/** How a cache lies in memory, in bytes. */
export interface CacheLayout {
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** Of one quantisation scale; 0 where there is none. */
  readonly scaleBytes: number;
  /** Of a second byte of an element, which the first {@link FINE_TOKENS} tokens have; 0 where there is none. */
  readonly fineBytes: number;
}

/** Types a cache can be stored in. */
export const STORAGE_TYPES = ["fp32", "fp16", "int8"] as const;

/** One of {@link STORAGE_TYPES}. */
export type StorageType = (typeof STORAGE_TYPES)[number];

/**
 * Layouts by name. `published` is what the PyTorch code holds: it normalises and rotates keys in fp32 and leaves them
 * so, while values are bf16. The paper's figures are in this layout.
 */
export const CACHE_LAYOUTS: Readonly<Record<StorageType | "published", CacheLayout>> = {
  fp32: { keyBytes: 4, valueBytes: 4, scaleBytes: 0, fineBytes: 0 },
  fp16: { keyBytes: 2, valueBytes: 2, scaleBytes: 0, fineBytes: 0 },
  int8: { keyBytes: 1, valueBytes: 1, scaleBytes: 4, fineBytes: 1 },
  published: { keyBytes: 4, valueBytes: 2, scaleBytes: 0, fineBytes: 0 },
};

/** Whose cache it is. */
export interface CacheOwner {
  readonly depth: number;
  /** Channels of a key or value, all heads. */
  readonly width: number;
  readonly heads: number;
  /** Sequences side by side: the batch, twice with guidance. */
  readonly rows: number;
}

/** Bytes of one token in one layer, all rows, without what the first ones take on top. */
export function tokenBytes({ width, heads, rows }: Omit<CacheOwner, "depth">, layout: CacheLayout): number {
  return rows * (width * (layout.keyBytes + layout.valueBytes) + 2 * heads * layout.scaleBytes);
}

/** Bytes that the first tokens of a layer take on top, all rows: each of them, or all there are among `tokens`. */
export function fineBytes({ width, rows }: Omit<CacheOwner, "depth">, layout: CacheLayout, tokens = 1): number {
  return rows * Math.min(tokens, FINE_TOKENS) * 2 * width * layout.fineBytes;
}

/**
 * Bytes of a cache.
 *
 * @param tokens in each layer: one number for all, or one a layer. The published code also appends the last scale,
 *   which nothing looks back on; add its tokens to see what that costs.
 */
export function cacheBytes(owner: CacheOwner, tokens: number | readonly number[], layout: CacheLayout): number {
  const layers = typeof tokens === "number" ? new Array<number>(owner.depth).fill(tokens) : tokens;
  const bytes = layers.map((held) => held * tokenBytes(owner, layout) + fineBytes(owner, layout, held));
  return bytes.reduce((sum, layer) => sum + layer, 0);
}
