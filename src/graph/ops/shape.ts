/** Shapes and data movement. */
import type { GraphBuilder, Value } from "../builder.js";

/** Another shape; 0 keeps an axis, −1 takes what is left. */
export function Reshape(g: GraphBuilder, x: Value, shape: readonly number[]): Value {
  return g.node("Reshape", [x, g.ints(shape)])[0];
}

/** The shape as an int64 vector. */
export const Shape = (g: GraphBuilder, x: Value): Value => g.node("Shape", [x])[0];

/** The first `axes` axes folded into one and the rest into another. */
export const Flatten = (g: GraphBuilder, x: Value, axes: number): Value => g.node("Flatten", [x], { axis: axes })[0];

/** Another shape that the graph itself computes. */
export const ReshapeTo = (g: GraphBuilder, x: Value, shape: Value): Value => g.node("Reshape", [x, shape])[0];

/** Axes in another order. */
export const Transpose = (g: GraphBuilder, x: Value, perm: readonly number[]): Value =>
  g.node("Transpose", [x], { perm })[0];

/** Joined along an axis. */
export const Concat = (g: GraphBuilder, values: readonly Value[], axis: number): Value =>
  g.node("Concat", values, { axis })[0];

/** Elements start to end (exclusive) of one axis; a value [1] int64 is a bound that only a run decides. */
export function Slice(g: GraphBuilder, x: Value, axis: number, start: number | Value, end: number | Value): Value {
  const bound = (at: number | Value): Value => (typeof at === "number" ? g.ints([at]) : at);
  return g.node("Slice", [x, bound(start), bound(end), g.ints([axis])])[0];
}

/** Elements from `starts` to `ends` (exclusive) of the first axes, as many as those [axes] int64 vectors are long. */
export const SliceTo = (g: GraphBuilder, x: Value, starts: Value, ends: Value): Value =>
  g.node("Slice", [x, starts, ends])[0];

/** Cut into parts of the given lengths along an axis. */
export function Split(g: GraphBuilder, x: Value, axis: number, lengths: readonly number[]): Value[] {
  return g.node("Split", [x, g.ints(lengths)], { axis }, { outputs: lengths.length });
}

/** Entries of an axis by index. */
export const Gather = (g: GraphBuilder, x: Value, indices: Value, axis = 0): Value =>
  g.node("Gather", [x, indices], { axis })[0];

/** Of an axis, at every place of `indices`, the entry that it names; the other axes are as long as those of x. */
export const GatherElements = (g: GraphBuilder, x: Value, indices: Value, axis: number): Value =>
  g.node("GatherElements", [x, indices], { axis })[0];

/** Axes of length 1 inserted. */
export const Unsqueeze = (g: GraphBuilder, x: Value, axes: readonly number[]): Value =>
  g.node("Unsqueeze", [x, g.ints(axes)])[0];

/** Axes of length 1 removed. */
export const Squeeze = (g: GraphBuilder, x: Value, axes: readonly number[]): Value =>
  g.node("Squeeze", [x, g.ints(axes)])[0];

/** Repeated along axes of length 1 until it has the shape, or broadcast against it. */
export const Expand = (g: GraphBuilder, x: Value, shape: Value): Value => g.node("Expand", [x, shape])[0];

/** 0, 1, 2 and so on, as many as the int64 scalar `count` says. */
export function Range(g: GraphBuilder, count: Value): Value {
  const int = (value: number): Value => g.constant("int64", [], BigInt64Array.of(BigInt(value)));
  return g.node("Range", [int(0), count, int(1)])[0];
}

/** Zeros around: `before` and `after` give the amount for every axis. */
export function Pad(g: GraphBuilder, x: Value, before: readonly number[], after: readonly number[]): Value {
  return g.node("Pad", [x, g.ints([...before, ...after])])[0];
}
