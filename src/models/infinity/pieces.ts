/**
 * A scale's rows and tokens in pieces. A layer's working memory is the MLP's hidden layer more than anything; a piece is
 * as large as lets that stay within a limit, and large enough for matrix products to run at full speed.
 */
import { int64, type Tensor } from "../../runtime/tensor.js";

/** Bytes of a piece's hidden layer. At width 2048 it is 512 tokens; products of fewer rows begin to run slower. */
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
  const most = Math.max(1, Math.floor(MOST_HIDDEN_BYTES / (hidden * Float32Array.BYTES_PER_ELEMENT)));
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
