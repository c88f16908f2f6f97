/** Sums over axes; a reduced axis stays with length 1. */
import type { GraphBuilder, Value } from "../builder.js";

/** The mean along one axis. */
export const ReduceMean = (g: GraphBuilder, x: Value, axis: number): Value =>
  g.node("ReduceMean", [x, g.ints([axis])], { keepdims: 1 })[0];

/** The sum of squares along one axis. */
export const ReduceSumSquare = (g: GraphBuilder, x: Value, axis: number): Value =>
  g.node("ReduceSumSquare", [x, g.ints([axis])], { keepdims: 1 })[0];

/** The sum along one axis. */
export const ReduceSum = (g: GraphBuilder, x: Value, axis: number): Value =>
  g.node("ReduceSum", [x, g.ints([axis])], { keepdims: 1 })[0];

/** Where the largest along one axis lies, int64; of equals the first. */
export const ArgMax = (g: GraphBuilder, x: Value, axis: number): Value =>
  g.node("ArgMax", [x], { axis, keepdims: 1 })[0];

/** The largest along one axis. */
export const ReduceMax = (g: GraphBuilder, x: Value, axis: number): Value =>
  g.node("ReduceMax", [x, g.ints([axis])], { keepdims: 1 })[0];

/** The smallest along one axis. */
export const ReduceMin = (g: GraphBuilder, x: Value, axis: number): Value =>
  g.node("ReduceMin", [x, g.ints([axis])], { keepdims: 1 })[0];
