/** Pooling along a sequence, and choosing from it. */
import type { GraphBuilder, Value } from "../builder.js";
import { Max } from "./math.js";

/** The largest of `size` neighbours (odd), x [batch, channels, length]. */
export function MaxPool(g: GraphBuilder, x: Value, size: number): Value {
  return g.node("MaxPool", [x], { kernel_shape: [size], pads: [(size - 1) / 2, (size - 1) / 2] })[0];
}

/** The mean of `size` neighbours (odd), x [batch, channels, length]; zeros beyond the ends count. */
export function AveragePool(g: GraphBuilder, x: Value, size: number): Value {
  const pads = [(size - 1) / 2, (size - 1) / 2];
  return g.node("AveragePool", [x], { kernel_shape: [size], pads, count_include_pad: 1 })[0];
}

/** What is chosen from is raised to this: for −3.403·10³⁸ and below WebGPU's operator gives the place −1 (onnxruntime 1.30). */
const LEAST = -1e38;

/**
 * The `count` largest along the last axis, in falling order, and where they lie; of equals the first. All numbers up to
 * −10³⁸, −∞ too, are equals.
 */
export function TopK(g: GraphBuilder, x: Value, count: Value): { values: Value; indices: Value } {
  const raised = Max(g, x, g.scalar(LEAST));
  const [values, indices] = g.node("TopK", [raised, count], { axis: -1, largest: 1, sorted: 1 }, { outputs: 2 });
  return { values, indices: indices! };
}

/** The last axis, `count` long, in rising order. */
export function Sort(g: GraphBuilder, x: Value, count: Value): Value {
  return g.node("TopK", [x, count], { axis: -1, largest: 0, sorted: 1 }, { outputs: 2 })[0];
}
