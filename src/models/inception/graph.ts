/** The FID network as a graph, written by walking its layout. */
import { GraphBuilder, type Value } from "../../graph/builder.js";
import type { GraphModel } from "../../graph/model.js";
import * as op from "../../graph/ops/index.js";
import type { Lookup } from "../lookup.js";
import { FEATURES, INCEPTION, INPUT_SIDE, type Convolution, type Step } from "./layout.js";

/** Added to the variance in every batch norm. */
const EPSILON = 1e-3;

/** The middle level and the range around it: the network takes (level − 128) / 128. */
const MIDDLE = 128;

/** Pictures [batch, 3, 299, 299], levels 0 to 255 with fractions, red first, to features [batch, 2048]. */
export function buildInception(lookup: Lookup): Promise<GraphModel> {
  const g = new GraphBuilder("Inception");
  const levels = g.input("pictures", "float32", ["batch", 3, INPUT_SIDE, INPUT_SIDE]);
  const x = op.Div(g, op.Sub(g, levels, g.scalar(MIDDLE)), g.scalar(MIDDLE));
  const map = walk(g, lookup, INCEPTION, x);
  g.output("features", op.Flatten(g, op.GlobalAveragePool(g, map), 1), "float32", ["batch", FEATURES]);
  return g.build();
}

function walk(g: GraphBuilder, lookup: Lookup, steps: readonly Step[], x: Value): Value {
  return steps.reduce((value, step) => apply(g, lookup, step, value), x);
}

function apply(g: GraphBuilder, lookup: Lookup, step: Step, x: Value): Value {
  switch (step.kind) {
    case "convolution":
      return convolution(g, lookup, step, x);
    case "max":
      return op.MaxPool2d(g, x, { ...step, kernel: 3 });
    case "average":
      return op.AveragePool2d(g, x, { ...step, kernel: 3 });
    case "fork":
      return op.Concat(
        g,
        step.branches.map((branch) => walk(g, lookup, branch, x)),
        1,
      );
  }
}

/** Kernel sizes are in the weights. */
function convolution(g: GraphBuilder, lookup: Lookup, { name, stride, padding }: Convolution, x: Value): Value {
  const weight = (part: string): Value => g.weight(lookup(`${name}.${part}`));
  const [height, width] = padding;
  const options = { stride, padding: [height, width, height, width] as const };
  const convolved = op.Conv(g, x, weight("conv.weight"), undefined, options);
  const statistics = {
    scale: weight("bn.weight"),
    bias: weight("bn.bias"),
    mean: weight("bn.running_mean"),
    variance: weight("bn.running_var"),
  };
  return op.Relu(g, op.BatchNormalization(g, convolved, statistics, EPSILON));
}
