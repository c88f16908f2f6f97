/**
 * A scale's rows and tokens in pieces, for the parts of a layer in which no token needs another's state: before attention and
 * behind it. A piece is as large as matrix products need to run at full speed, and no larger, since what does not fit into the
 * processor's caches is written and read again at every step; the MLP's hidden layer is the largest of it. On a GPU pieces
 * are bounded by what it binds.
 */
import { int64, type Tensor } from "../../runtime/tensor.js";
import { cutEvenly } from "../cut-evenly.js";

/** Tokens of a piece. Products of fewer rows begin to run slower: 3 % with 256 at width 2048, 8 % with 128. */
const MOST_TOKENS = 512;
/**
 * Bytes of a piece's hidden layer: 256 tokens at width 2048. With twice as many, layers of that width take 0.97 of the time in
 * float32, but 1.03 in `w8a8`, and 20 to 100 MiB more.
 */
const MOST_HIDDEN_BYTES = 2 ** 23;

/** Equal pieces that, behind one another, are all rows and tokens in order. */
export interface Pieces {
  /** The rows of every piece, [pieces, rows of one]. */
  readonly rows: readonly (readonly number[])[];
  /** Its first token, and the one after its last, [pieces, 2]. */
  readonly tokens: readonly (readonly [number, number])[];
}

/**
 * Everything at once where that is within the limit. If not, row by row, and a row's tokens in the fewest equal pieces
 * that are.
 */
export function cutPieces(rows: number, tokens: number, hidden: number): Pieces {
  const affordable = Math.floor(MOST_HIDDEN_BYTES / (hidden * Float32Array.BYTES_PER_ELEMENT));
  const most = Math.max(1, Math.min(MOST_TOKENS, affordable));
  if (rows * tokens <= most) return { rows: [Array.from({ length: rows }, (_, row) => row)], tokens: [[0, tokens]] };
  let parts = Math.ceil(tokens / most);
  while (tokens % parts !== 0) parts++;
  const length = tokens / parts;
  const numbers = Array.from({ length: rows * parts }, (_, i) => i);
  return {
    rows: numbers.map((i) => [Math.floor(i / parts)]),
    tokens: numbers.map((i) => [(i % parts) * length, ((i % parts) + 1) * length]),
  };
}

/** Pieces, rows of one, tokens of one: the axes of what lies piece by piece. */
export function pieceAxes({ rows, tokens }: Pieces): readonly [number, number, number] {
  const [first, end] = tokens[0]!;
  return [rows.length, rows[0]!.length, end - first];
}

/** The pieces as a layer's inputs. */
export function pieceFeeds({ rows, tokens }: Pieces): Record<"piece_rows" | "piece_tokens", Tensor> {
  return {
    piece_rows: int64(rows.flat(), [rows.length, rows[0]!.length]),
    piece_tokens: int64(tokens.flat(), [tokens.length, 2]),
  };
}

/**
 * Bytes that every WebGPU adapter binds as one buffer. Of what is larger than the adapter's own limit, ONNX Runtime's softmax
 * and layer norm (1.30) leave zeros behind it and say nothing; twice as much can be more than a buffer may have at all. And buffers of
 * up to 160 MiB it keeps for the next value, where larger ones are made anew, and wait for the device to be given back.
 */
export const MOST_BOUND_BYTES = 2 ** 27;

/** A scale's tokens for a GPU, where each has so many numbers in its largest value: the fewest parts that can be bound; gives where each ends. */
export function cutTokens(tokens: number, valuesOfToken: number): number[] {
  const most = Math.floor(MOST_BOUND_BYTES / (valuesOfToken * Float32Array.BYTES_PER_ELEMENT));
  return cutEvenly(tokens, Math.max(1, most));
}
