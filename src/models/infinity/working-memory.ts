/** What a layer works with, beside its weights and the cache: by formula, so that it is known before anything runs. */
import type { InfinityConfig } from "./config.js";
import { cutPieces } from "./pieces.js";
import { lanesOfRow } from "./self-attention.js";

/** One scale of a run. */
export interface WorkingTask {
  readonly rows: number;
  /** Tokens of the scale's map. */
  readonly tokens: number;
  /** Cached tokens, the mean over the heads. */
  readonly past: number;
}

type Sizes = Pick<InfinityConfig, "width" | "heads" | "hidden">;

/**
 * Bytes of a layer's intermediate values on the host for a graph that loops (`layer.ts`): while queries, keys and
 * values are made, while a lane attends, or in the piece with the largest hidden layer, whichever is most. Single layers
 * at `1M` took up to a sixth more (bench/layer-memory.ts), which `MOST_GARBAGE` leaves room for.
 */
export function layerWorkingBytes(config: Sizes, task: WorkingTask): number {
  const state = task.rows * task.tokens * config.width;
  // States before and after; queries; keys and values as they are made and as the cache takes them.
  const making = 7 * state;
  // States before and after, queries, what the cache takes, what was read so far; and a lane.
  const attending = 6 * state + laneValues(config, task);
  // States before and after, what was read, what the cache takes; and a hidden layer.
  const inPieces = 5 * state + hiddenValues(config, task);
  return Math.max(making, attending, inPieces) * Float32Array.BYTES_PER_ELEMENT;
}

/** What the lanes of a row have read; of one its queries as they are and turned; its keys and values, joined and turned. */
function laneValues(config: Sizes, { tokens, past }: WorkingTask): number {
  const channels = config.width / lanesOfRow(config);
  return tokens * config.width + channels * (2 * tokens + 4 * (past + tokens));
}

/** The hidden layer of a piece before and after its GELU. */
function hiddenValues({ hidden }: Sizes, { rows, tokens }: WorkingTask): number {
  const pieces = cutPieces(rows, tokens, hidden);
  return (2 * rows * tokens * hidden) / pieces.rows.length;
}
