/** Numbers as levels of 8 bits, and products of such. */
import type { GraphBuilder, Value } from "../builder.js";

/**
 * round(x / scale) + zero, within 0 to 255; `scale` and `zero`, uint8, have one number for all `length` entries of the last
 * axis, which in them is of length 1. (As one block of that axis: a scale for each index of an axis is used on one core only.)
 */
export const QuantizeLinear = (g: GraphBuilder, x: Value, scale: Value, zero: Value, length: number): Value =>
  g.node("QuantizeLinear", [x, scale, zero], { axis: -1, block_size: length })[0];

/** Levels of 8 bits, and the one of zero. */
export interface Levels {
  readonly values: Value;
  readonly zero: number;
}

/** (a − its zero) [..., k] × (b − its zero) [k, n] · scale [n], the sums integers; a is uint8, b int8 with zero 0, or uint8. */
export function MatMulIntegerToFloat(g: GraphBuilder, a: Levels, b: Levels, scale: Value): Value {
  // Left out it is 0, of either type.
  const zeroOf = ({ zero }: Levels): Value | undefined =>
    zero === 0 ? undefined : g.constant("uint8", [], Uint8Array.of(zero));
  const inputs = [a.values, b.values, g.scalar(1), scale, zeroOf(a), zeroOf(b)];
  return g.node("MatMulIntegerToFloat", inputs, {}, { domain: "com.microsoft" })[0];
}
