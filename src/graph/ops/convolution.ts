/** Convolution and resampling of [batch, channels, height, width] maps. */
import type { GraphBuilder, Value } from "../builder.js";

/** Two-dimensional convolution. `padding` is zeros around: one amount for all sides, or top, left, bottom, right. */
export function Conv(
  g: GraphBuilder,
  x: Value,
  weight: Value,
  bias: Value | undefined,
  { stride = 1, padding = 0 }: { stride?: number; padding?: number | readonly [number, number, number, number] } = {},
): Value {
  const pads = typeof padding === "number" ? Array<number>(4).fill(padding) : padding;
  return g.node("Conv", [x, weight, bias], { strides: [stride, stride], pads })[0];
}

/** Height and width times a whole factor, nearest neighbour. */
export function UpsampleNearest(g: GraphBuilder, x: Value, factor: number): Value {
  const scales = g.constant("float32", [4], Float32Array.of(1, 1, factor, factor));
  return g.node("Resize", [x, undefined, scales], {
    mode: "nearest",
    coordinate_transformation_mode: "asymmetric",
    nearest_mode: "floor",
  })[0];
}

/** Channels [batch, factor² · C, height, width], C the innermost, moved into space: [batch, C, height · factor, width · factor]. */
export const DepthToSpace = (g: GraphBuilder, x: Value, factor: number): Value =>
  g.node("DepthToSpace", [x], { blocksize: factor, mode: "DCR" })[0];
