/** Pooling of [batch, channels, height, width] maps over square windows; along a sequence it is in selection.ts. */
import type { GraphBuilder, Value } from "../builder.js";

/** A window's side, the step between windows, and what lies around the map; in pixels of the map. */
export interface PoolOptions {
  readonly kernel: number;
  /** Default 1. */
  readonly stride?: number | undefined;
  /** The same on all four sides. Default 0. */
  readonly padding?: number | undefined;
}

/** The largest of each window; padding is never the largest. */
export const MaxPool2d = (g: GraphBuilder, x: Value, options: PoolOptions): Value =>
  g.node("MaxPool", [x], windows(options))[0];

/** The mean of each window over those of its pixels that lie inside the map: padding does not count. */
export const AveragePool2d = (g: GraphBuilder, x: Value, options: PoolOptions): Value =>
  g.node("AveragePool", [x], { ...windows(options), count_include_pad: 0 })[0];

/** The mean of every channel's whole map, [batch, channels, 1, 1]. */
export const GlobalAveragePool = (g: GraphBuilder, x: Value): Value => g.node("GlobalAveragePool", [x])[0];

function windows({ kernel, stride = 1, padding = 0 }: PoolOptions): Record<string, readonly number[]> {
  return { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: Array<number>(4).fill(padding) };
}
