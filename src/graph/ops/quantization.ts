/** Numbers as levels of 8 bits, and products of such. */
import type { GraphBuilder, Value } from "../builder.js";

/** round(x / scale) + zero, within 0 to 255; `scale` and `zero`, uint8, have one number for each index of the first axis. */
export const QuantizeLinear = (g: GraphBuilder, x: Value, scale: Value, zero: Value): Value =>
  g.node("QuantizeLinear", [x, scale, zero], { axis: 0 })[0];

/** (a − zero) [m, k] uint8 × b [k, n] int8 · scale [n], the sums exact integers. */
export function MatMulIntegerToFloat(g: GraphBuilder, a: Value, b: Value, scale: Value, zero: Value): Value {
  return g.node("MatMulIntegerToFloat", [a, b, g.scalar(1), scale, zero], {}, { domain: "com.microsoft" })[0];
}
