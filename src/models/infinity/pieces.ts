/**
 * A scale's rows and tokens in pieces, for the parts of a layer in which no token needs another's state: before attention and
 * behind it. A piece is as large as matrix products need to run at full speed, and no larger, since what does not fit into the
 * processor's caches is written and read again at every step; the MLP's hidden layer is the largest of it.
 */
import { int64, type Tensor } from "../../runtime/tensor.js";

/** Tokens of a piece. Products of fewer rows begin to run slower: 3 % with 256 at width 2048, 8 % with 128. */
const MOST_TOKENS = 512;
/** Bytes of a piece's hidden layer: 512 tokens at width 2048, fewer of a wider model. */
const MOST_HIDDEN_BYTES = 2 ** 24;

/** The first row and token of every piece, and those after its last, [pieces, 2] each. */
export interface Pieces {
  readonly starts: readonly (readonly [number, number])[];
  readonly ends: readonly (readonly [number, number])[];
}

/**
 * Everything at once where that is within the limit. If not, row by row, and a row's tokens in the fewest equal pieces
 * that are: pieces are joined behind one another, so they must be equal, and make whole rows.
 */
export function cutPieces(rows: number, tokens: number, hidden: number): Pieces {
  const affordable = Math.floor(MOST_HIDDEN_BYTES / (hidden * Float32Array.BYTES_PER_ELEMENT));
  const most = Math.max(1, Math.min(MOST_TOKENS, affordable));
  if (rows * tokens <= most) return { starts: [[0, 0]], ends: [[rows, tokens]] };
  let parts = Math.ceil(tokens / most);
  while (tokens % parts !== 0) parts++;
  const length = tokens / parts;
  const starts = Array.from({ length: rows * parts }, (_, i) => [Math.floor(i / parts), (i % parts) * length] as const);
  return { starts, ends: starts.map(([row, token]) => [row + 1, token + length] as const) };
}

/** The pieces as a layer's inputs. */
export function pieceFeeds({ starts, ends }: Pieces): Record<"piece_starts" | "piece_ends", Tensor> {
  const shape = [starts.length, 2];
  return { piece_starts: int64(starts.flat(), shape), piece_ends: int64(ends.flat(), shape) };
}
