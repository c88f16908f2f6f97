/** What a layer works with, beside its weights and the cache: by formula, so that it is known before anything runs. */
import type { InfinityConfig } from "./config.js";
import { cutPieces } from "./pieces.js";

/** One scale of a run. */
export interface WorkingTask {
  readonly rows: number;
  /** Tokens of the scale's map. */
  readonly tokens: number;
  /** Cached tokens, the mean over the heads. */
  readonly past: number;
}

/**
 * Bytes of a layer's intermediate values on the host, at most, for a graph that loops over pieces (`layer.ts`). That is
 * inside the loop: the states before and after the layer, the queries, the scale's own keys and values as the cache
 * would take them, and the pieces done so far, which are joined in a copy; keys and values of all tokens; of the rows at
 * work, keys and values once more, as a slice and as the attention kernel turns them; and the hidden layer of the piece
 * before and after its GELU.
 */
export function layerWorkingBytes(
  { width, hidden }: Pick<InfinityConfig, "width" | "hidden">,
  { rows, tokens, past }: WorkingTask,
): number {
  const { starts, ends } = cutPieces(rows, tokens, hidden);
  const [pieceRows, pieceTokens] = [ends[0]![0] - starts[0]![0], ends[0]![1] - starts[0]![1]];
  const state = rows * tokens * width;
  const keys = rows * (past + tokens) * width;
  const keysAtWork = (keys / rows) * pieceRows;
  const values = 7 * state + 2 * keys + 4 * keysAtWork + 2 * pieceRows * pieceTokens * hidden;
  return values * Float32Array.BYTES_PER_ELEMENT;
}
