/** Numbers as levels of 8 bits, and products of such. */
import type { GraphBuilder, Value } from "../builder.js";

/**
 * round(x / scale) + zero, within 0 to 255; `scale` and `zero`, uint8, have one number for all `length` entries of the last
 * axis, which in them is of length 1. (As one block of that axis: a scale for each index of an axis is used on one core only.)
 */
export const QuantizeLinear = (g: GraphBuilder, x: Value, scale: Value, zero: Value, length: number): Value =>
  g.node("QuantizeLinear", [x, scale, zero], { axis: -1, block_size: length })[0];

/** (a − aZero) [..., k] uint8 × (b − bZero) [k, n] · scale [n], the sums integers; b is int8, or uint8 with a zero of its own. */
export function MatMulIntegerToFloat(
  g: GraphBuilder,
  a: Value,
  b: Value,
  scale: Value,
  aZero: Value,
  bZero?: Value,
): Value {
  const inputs = [a, b, g.scalar(1), scale, aZero, bZero];
  return g.node("MatMulIntegerToFloat", inputs, {}, { domain: "com.microsoft" })[0];
}
