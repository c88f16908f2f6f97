/** Normalisations. */
import { float } from "../attributes.js";
import type { GraphBuilder, Value } from "../builder.js";
import { Add, Div, Max, Mul, Sqrt } from "./math.js";
import { ReduceSum } from "./reduction.js";
import { Squeeze, Unsqueeze } from "./shape.js";

/** (x − mean) / √(variance + epsilon) · scale + bias over the last axis. Without a bias WebGPU's kernel crashes (1.30). */
export function LayerNormalization(g: GraphBuilder, x: Value, scale: Value, bias: Value, epsilon: number): Value {
  return g.node("LayerNormalization", [x, scale, bias], { axis: -1, epsilon: float(epsilon) })[0];
}

/**
 * Layer norm without learned weights, then · scale [rows, 1, C] + shift [rows, 1, C]. The operator could take those two
 * itself, but not on WebGPU, and on the CPU it rounds a single row otherwise than several (1.30): an image would depend
 * on whether others are drawn beside it. Two more passes cost under a hundredth of a layer.
 */
export function AdaptiveLayerNormalization(
  g: GraphBuilder,
  x: Value,
  scale: Value,
  shift: Value,
  { width, epsilon }: { width: number; epsilon: number },
): Value {
  const ones = g.constant("float32", [width], new Float32Array(width).fill(1));
  const zeros = g.constant("float32", [width], new Float32Array(width));
  return Add(g, Mul(g, LayerNormalization(g, x, ones, zeros, epsilon), scale), shift);
}

/** x / √(mean(x²) + epsilon) · scale over the last axis. */
export function RmsNormalization(g: GraphBuilder, x: Value, scale: Value, epsilon: number): Value {
  return g.node("SimplifiedLayerNormalization", [x, scale], { axis: -1, epsilon: float(epsilon) })[0];
}

/** The square of a vector that counts as one of zeros; far below what another could have. */
const SMALLEST_SQUARE = 1e-24;

/**
 * Every vector of x [rows, tokens, heads, dim] brought to length 1, then · scale [heads]; one of zeros stays that. On a
 * processor in plain passes over the data: they take a third of the time of {@link RmsNormalization}'s operator, which is
 * made for longer vectors, half of `LpNormalization`'s, which works on one core (measured). A device does better with the
 * fewest kernels.
 */
export function UnitVectors(g: GraphBuilder, x: Value, dim: number, scale?: Value): Value {
  if (g.target.loops) {
    // Without the last axis, of length 1, along which broadcasting would go number by number.
    const squares = Squeeze(g, ReduceSum(g, Mul(g, x, x), 3), [3]);
    const length = Sqrt(g, Max(g, squares, g.scalar(SMALLEST_SQUARE)));
    return Mul(g, x, Unsqueeze(g, Div(g, scale ?? g.scalar(1), length), [3]));
  }
  // The root of the mean square is √dim times as small as the length.
  const factor = g.constant("float32", [dim], new Float32Array(dim).fill(1 / Math.sqrt(dim)));
  const unit = RmsNormalization(g, x, factor, SMALLEST_SQUARE / dim);
  return scale ? Mul(g, unit, Unsqueeze(g, scale, [1])) : unit;
}

/** x divided by its Euclidean length along the last axis. */
export const LpNormalization = (g: GraphBuilder, x: Value): Value =>
  g.node("LpNormalization", [x], { axis: -1, p: 2 })[0];

/** Every channel of every item brought to mean 0 and variance 1, then scale and bias by channel. */
export function InstanceNormalization(g: GraphBuilder, x: Value, scale: Value, bias: Value, epsilon: number): Value {
  return g.node("InstanceNormalization", [x, scale, bias], { epsilon: float(epsilon) })[0];
}

/** What a batch norm learned and, in training, measured; each is [channels]. */
export interface BatchStatistics {
  readonly scale: Value;
  readonly bias: Value;
  readonly mean: Value;
  readonly variance: Value;
}

/**
 * (x − mean) / √(variance + epsilon) · scale + bias by channel, as a trained batch norm works. Behind a convolution ONNX
 * Runtime folds it into that one's weights at load.
 */
export function BatchNormalization(
  g: GraphBuilder,
  x: Value,
  { scale, bias, mean, variance }: BatchStatistics,
  epsilon: number,
): Value {
  return g.node("BatchNormalization", [x, scale, bias, mean, variance], { epsilon: float(epsilon) })[0];
}
