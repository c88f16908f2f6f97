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

/**
 * Does `part` to every piece of `states` [rows, tokens, channels]. What comes of them by token lies as the states do, but
 * with axes of its own, for pieces, where there are such; {@link whole} gives it theirs.
 */
export function byPieces(
  g: GraphBuilder,
  states: readonly [Value, ...Value[]],
  part: (piece: Piece, own: readonly Value[]) => Made,
): Made {
  if (!g.target.loops) {
    const all = (value: Value): Value => value;
    return part({ rows: all, positions: all, pick: (value, tokens) => op.Gather(g, value, tokens, 1) }, states);
  }
  const ownRows = g.shared("rows of pieces", () => g.input("piece_rows", "int64", ["pieces", "piece rows"]));
  const ownTokens = g.shared("tokens of pieces", () => g.input("piece_tokens", "int64", ["pieces", 2]));
  const cut = states.map((state) => withAxes(g, state, [op.Shape(g, ownRows), g.ints([-1]), axesOf(g, state, 2, 3)]));
  let tokenwise = 0;
  const joined = g.scan([ownRows, ownTokens, ...cut], 3, ([rows, tokens, ...own]) => {
    const { byToken, picked } = part(pieceOf(g, rows!, tokens!), own);
    tokenwise = byToken.length;
    return [...byToken, ...picked];
  });
  return {
    byToken: joined.slice(0, tokenwise),
    picked: joined.slice(tokenwise).map((value) => foundBy(g, value, axesOf(g, states[0], 0, 1))),
  };
}

/** What {@link byPieces} gave by token, as [rows, tokens, channels]. */
export function whole(g: GraphBuilder, value: Value, state: Value): Value {
  return g.target.loops ? withAxes(g, value, [axesOf(g, state, 0, 2), g.ints([-1])]) : value;
}

/** The piece with these rows, from a first token to the one after its last. */
function pieceOf(g: GraphBuilder, rows: Value, tokens: Value): Piece {
  const [first, last] = [op.Slice(g, tokens, 0, 0, 1), op.Slice(g, tokens, 0, 1, 2)];
  return {
    rows: (value) => op.Gather(g, value, rows),
    positions: (value) => op.Slice(g, value, 0, first, last),
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
  return op.Squeeze(g, op.ReduceSum(g, withAxes(g, value, [rows, g.ints([-1]), axesOf(g, value, 2, 4)]), 1), [1]);
}

/** Lengths of the axes from `first` to `end` (exclusive). */
function axesOf(g: GraphBuilder, value: Value, first: number, end: number): Value {
  return op.Slice(g, op.Shape(g, value), 0, first, end);
}

function withAxes(g: GraphBuilder, value: Value, axes: readonly Value[]): Value {
  return op.ReshapeTo(g, value, op.Concat(g, axes, 0));
}
