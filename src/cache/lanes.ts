/**
 * Tokens by lane, in graphs that work on a cache. A lane is one row and head, numbered row · heads + head; lane by lane
 * the positions that stay may differ, their number not.
 */
import type { GraphBuilder, Value } from "../graph/builder.js";
import type { GraphTarget } from "../graph/model.js";
import * as op from "../graph/ops/index.js";
import { widen, type Stored } from "./storage-graph.js";
import type { StorageType, StoredShape } from "./storage.js";

/** Sizes of a commit graph. */
export interface CommitShape extends StoredShape {
  readonly target: GraphTarget;
}

/** A commit graph under construction. */
export interface Commit extends CommitShape {
  readonly g: GraphBuilder;
  /** heads · dim. */
  readonly width: number;
}

/** Tokens in their stored form, and what each was given, [lanes, 1, tokens]. */
export interface JudgedTokens {
  readonly keys: Stored;
  readonly values: Stored;
  readonly scores: Value;
}

/** Keys, values or queries [tokens, rows, C] as float32 [lanes, tokens, dim]. */
export function byLane({ g, dim, storage }: Commit, tokens: Stored, type: StorageType = storage): Value {
  return op.Transpose(g, op.Reshape(g, widen(g, type, tokens, dim), [0, -1, dim]), [1, 0, 2]);
}

/** Keys as {@link byLane} gives them, each of length 1. */
export function unitKeys(commit: Commit, keys: Stored): Value {
  return op.LpNormalization(commit.g, byLane(commit, keys));
}

/** [tokens, rows, heads] as [lanes, tokens, 1]. */
export function biasByLane({ g }: Commit, bias: Value): Value {
  return op.Unsqueeze(g, op.Transpose(g, op.Flatten(g, bias, 1), [1, 0]), [2]);
}

/**
 * Works on values whose first axis is lanes: on one lane after another where the device can loop, so that only one lane's
 * intermediate results exist at a time; else on all at once. What comes of them has `axes` axes, lanes the first.
 */
export function eachLane(
  { g }: Commit,
  values: readonly [Value, Value, Value],
  axes: number,
  work: (a: Value, b: Value, c: Value) => Value,
): Value {
  if (!g.target.loops) return work(...values);
  const [results] = g.scan(values, axes, (entries) => {
    const [a, b, c] = entries.map((lane) => op.Unsqueeze(g, lane, [0])) as [Value, Value, Value];
    return [work(a, b, c)];
  });
  return op.Squeeze(g, results!, [1]);
}

/** The cosine of a token with itself, as {@link cosinesWith} has it: more than that of any two. */
export const ITSELF = 2;

/**
 * Cosines of `unit` [lanes, tokens, dim], vectors of length 1, with those at `positions` [lanes, chosen], [lanes, tokens,
 * chosen]. A token is most like itself, even where another is the very same.
 */
export function cosinesWith(commit: Commit, unit: Value, positions: Value): Value {
  const { g } = commit;
  const cosines = op.MatMul(g, unit, op.Transpose(g, atPositions(commit, unit, positions), [0, 2, 1]));
  // Compared as float32, in which every device can; positions are exact in it.
  const itself = op.Equal(
    g,
    op.Unsqueeze(g, numbersAlong(g, unit, 1), [1]),
    op.Unsqueeze(g, op.Cast(g, positions, "float32"), [1]),
  );
  return op.Where(g, itself, g.scalar(ITSELF), cosines);
}

/** 0, 1, 2 and so on in float32, one for every entry of an axis of x. */
export function numbersAlong(g: GraphBuilder, x: Value, axis: number): Value {
  const count = op.Squeeze(g, op.Slice(g, op.Shape(g, x), 0, axis, axis + 1), [0]);
  return op.Cast(g, op.Range(g, count), "float32");
}

/** Of x [lanes, tokens, dim] the rows at `positions` [lanes, kept], [lanes, kept, dim]. */
export function atPositions({ g, dim }: Commit, x: Value, positions: Value): Value {
  const everyChannel = op.Expand(g, op.Unsqueeze(g, positions, [2]), g.ints([1, 1, dim]));
  return op.GatherElements(g, x, everyChannel, 1);
}
