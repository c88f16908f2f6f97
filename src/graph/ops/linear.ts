/** A linear layer on [rows, tokens, channels]. */
import type { GraphBuilder, Value } from "../builder.js";
import { Gemm } from "./math.js";
import { Concat, Flatten, ReshapeTo, Shape, Slice } from "./shape.js";

/**
 * x [rows, tokens, in] × weightᵀ [out, in] + bias [out]. Gemm takes two axes, so the first two are folded and restored;
 * reshapes move no data, and Gemm adds the bias in the same pass.
 */
export function Linear(g: GraphBuilder, x: Value, weight: Value, bias?: Value): Value {
  const flat = Gemm(g, Flatten(g, x, 2), weight, bias);
  const rowsAndTokens = Slice(g, Shape(g, x), 0, 0, 2);
  return ReshapeTo(g, flat, Concat(g, [rowsAndTokens, g.ints([-1])], 0));
}
