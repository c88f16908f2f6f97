/**
 * Work on a layer's rows and tokens, one piece after another where the target can loop (`pieces.ts` cuts them), else on
 * all at once. What a step makes on its way is gone when it ends; only what it hands out is joined.
 */
import type { GraphBuilder, Value } from "../../graph/builder.js";
import * as op from "../../graph/ops/index.js";

/** The part of the rows and tokens that is worked on. */
export interface Piece {
  /** Of a value whose first axis is rows. */
  readonly rows: (value: Value) => Value;
  /** Of a value whose first axes are rows and tokens. */
  readonly tokens: (value: Value) => Value;
  /** Of a value whose first axis is tokens. */
  readonly positions: (value: Value) => Value;
  /**
   * Of the piece's own `value` [rows, tokens, channels], what lies at some `tokens` of the scale [tokens]: zeros at those
   * that another piece has.
   */
  readonly pick: (value: Value, tokens: Value) => Value;
}

/** What a step hands out. */
interface Made {
  /** Values [rows, tokens, channels] of the piece. */
  readonly byToken: readonly Value[];
  /** Values that `pick` made. */
  readonly picked: readonly Value[];
}

/** Does `part` to every piece of x [rows, tokens, channels]; what comes of them, whole. */
export function byPieces(g: GraphBuilder, x: Value, part: (piece: Piece) => Made): Made {
  const all = (value: Value): Value => value;
  if (!g.target.loops) {
    return part({ rows: all, tokens: all, positions: all, pick: (value, tokens) => op.Gather(g, value, tokens, 1) });
  }
  const starts = g.shared("piece starts", () => g.input("piece_starts", "int64", ["pieces", 2]));
  const ends = g.shared("piece ends", () => g.input("piece_ends", "int64", ["pieces", 2]));
  let tokenwise = 0;
  const joined = g.loop(op.Slice(g, op.Shape(g, starts), 0, 0, 1), (step) => {
    const { byToken, picked } = part(pieceOf(g, op.Gather(g, starts, step), op.Gather(g, ends, step)));
    tokenwise = byToken.length;
    return [...byToken, ...picked];
  });
  const [rows, tokens] = [op.Slice(g, op.Shape(g, x), 0, 0, 1), op.Slice(g, op.Shape(g, x), 0, 1, 2)];
  return {
    byToken: joined.slice(0, tokenwise).map((value) => withAxes(g, value, [rows, tokens, g.ints([-1])])),
    picked: joined.slice(tokenwise).map((value) => foundBy(g, value, rows)),
  };
}

/** The piece between two pairs of row and token. */
function pieceOf(g: GraphBuilder, start: Value, end: Value): Piece {
  const [firstRow, lastRow] = [op.Slice(g, start, 0, 0, 1), op.Slice(g, end, 0, 0, 1)];
  const [first, last] = [op.Slice(g, start, 0, 1, 2), op.Slice(g, end, 0, 1, 2)];
  return {
    rows: (value) => op.SliceTo(g, value, firstRow, lastRow),
    tokens: (value) => op.SliceTo(g, value, start, end),
    positions: (value) => op.SliceTo(g, value, first, last),
    pick(value, tokens) {
      const places = op.Sub(g, tokens, first);
      const here = op.Max(g, op.Min(g, places, op.Sub(g, op.Sub(g, last, first), g.ints([1]))), g.ints([0]));
      const inside = op.Unsqueeze(g, op.Equal(g, places, here), [1]);
      return op.Where(g, inside, op.Gather(g, value, here, 1), g.scalar(0));
    },
  };
}

/** What was picked of all pieces [pieces, rows, picked, channels]: only one of a row's has it, and the others zeros. */
function foundBy(g: GraphBuilder, value: Value, rows: Value): Value {
  const sizes = op.Slice(g, op.Shape(g, value), 0, 2, 4);
  return op.Squeeze(g, op.ReduceSum(g, withAxes(g, value, [rows, g.ints([-1]), sizes]), 1), [1]);
}

function withAxes(g: GraphBuilder, value: Value, axes: readonly Value[]): Value {
  return op.ReshapeTo(g, value, op.Concat(g, axes, 0));
}
