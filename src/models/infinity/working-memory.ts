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
 * Bytes of a layer's intermediate values on the host, at most, for a graph that loops (`layer.ts`): while the last row
 * attends, or in the piece with the largest hidden layer, whichever is more.
 */
export function layerWorkingBytes(config: Pick<InfinityConfig, "width" | "hidden">, task: WorkingTask): number {
  const values = Math.max(attending(config, task), inPieces(config, task));
  return values * Float32Array.BYTES_PER_ELEMENT;
}

/**
 * States before and after the layer; queries, keys and values of the scale's own tokens, the latter two once more as the
 * cache would take them; what the rows have read so far. Of the row at work: queries as they are and as the attention
 * kernel turns them, and what they read; keys and values, joined and turned.
 */
function attending({ width }: Pick<InfinityConfig, "width">, { rows, tokens, past }: WorkingTask): number {
  const row = tokens * width;
  const keys = (past + tokens) * width;
  return 8 * rows * row + 3 * row + 4 * keys;
}

/**
 * States before and after the layer, keys and values as the cache would take them, what was read; the pieces done so far,
 * which are joined in a copy; and the hidden layer of a piece before and after its GELU.
 */
function inPieces({ width, hidden }: Pick<InfinityConfig, "width" | "hidden">, { rows, tokens }: WorkingTask): number {
  const { starts, ends } = cutPieces(rows, tokens, hidden);
  const piece = (ends[0]![0] - starts[0]![0]) * (ends[0]![1] - starts[0]![1]);
  return 7 * rows * tokens * width + 2 * piece * hidden;
}
