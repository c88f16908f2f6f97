/** A linear layer on [rows, tokens, channels]. */
import type { BlockWeight, GraphBuilder, Matrix, Value } from "../builder.js";
import { BLOCK } from "../quantize.js";
import { Gemm } from "./math.js";
import { Concat, Flatten, ReshapeTo, Shape, Slice } from "./shape.js";

/** x [rows, tokens, in] × weightᵀ [out, in] + bias [out]. */
export function Linear(g: GraphBuilder, x: Value, weight: Matrix, bias?: Value): Value {
  return "levels" in weight ? blockLinear(g, x, weight, bias) : denseLinear(g, x, weight, bias);
}

/**
 * Gemm takes two axes, so the first two are folded and restored; reshapes move no data, and Gemm adds the bias in the
 * same pass.
 */
function denseLinear(g: GraphBuilder, x: Value, weight: Value, bias?: Value): Value {
  const flat = Gemm(g, Flatten(g, x, 2), weight, bias);
  const rowsAndTokens = Slice(g, Shape(g, x), 0, 0, 2);
  return ReshapeTo(g, flat, Concat(g, [rowsAndTokens, g.ints([-1])], 0));
}

/** The product's rows, too, are cut into blocks of 8-bit levels while it is computed, so that integers are multiplied. */
const INTEGER_ACCURACY = 4;

function blockLinear(
  g: GraphBuilder,
  x: Value,
  { levels, scales, rows, columns, bits }: BlockWeight,
  bias?: Value,
): Value {
  const attributes = { K: columns, N: rows, bits, block_size: BLOCK, accuracy_level: INTEGER_ACCURACY };
  const inputs = [x, levels, scales, undefined, undefined, bias];
  return g.node("MatMulNBits", inputs, attributes, { domain: "com.microsoft" })[0];
}
