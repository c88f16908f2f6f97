/**
 * LPIPS as a graph, after Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a
 * perceptual metric" (2018), as torchmetrics computes it: for every layer l, with x̂ the features divided by their length
 * along the channels,
 *
 *     distance = Σ over l of the mean over places of Σ over channels of w_l · (x̂_l(a) − x̂_l(b))²
 */
import { GraphBuilder, type Value } from "../../graph/builder.js";
import type { GraphModel } from "../../graph/model.js";
import * as op from "../../graph/ops/index.js";
import type { Lookup } from "../lookup.js";
import { ALEXNET, linearName, type AlexNetLayer } from "./tensors.js";

/** Mean and deviation of red, green and blue on the scale from −1 to 1, as the authors state them. */
const SHIFT = [-0.03, -0.088, -0.188];
const SCALE = [0.458, 0.448, 0.45];

/** Added to a squared length, so that a place where all features are 0 can be divided. */
const EPSILON = 1e-8;

/** Pictures a and b, [1, height, width, 3], levels red first, to their distance [1]. */
export function buildLpips(alexNet: Lookup, linear: Lookup): Promise<GraphModel> {
  const g = new GraphBuilder("LPIPS");
  const shape = [1, "height", "width", 3];
  const pictures = ["a", "b"].map((name) => normalised(g, g.input(name, "uint8", shape)));
  // One convolution over both pictures keeps all threads busier than two.
  let x = op.Concat(g, pictures, 0);
  const distances = ALEXNET.map((layer, i) => {
    x = features(g, alexNet, layer, x);
    return layerDistance(g, x, g.weight(linear(linearName(i))));
  });
  const total = distances.reduce((sum, distance) => op.Add(g, sum, distance));
  g.output("distance", op.Reshape(g, total, [-1]), "float32", [1]);
  return g.build();
}

/** Levels to what the network was trained on, [1, 3, height, width]: level · 2 / 255 − 1, then shift and scale. */
function normalised(g: GraphBuilder, levels: Value): Value {
  const planes = op.Transpose(g, op.Cast(g, levels, "float32"), [0, 3, 1, 2]);
  const factor = SCALE.map((scale) => 2 / 255 / scale);
  const offset = SCALE.map((scale, colour) => (-1 - SHIFT[colour]!) / scale);
  const perColour = (values: readonly number[]): Value => g.constant("float32", [3, 1, 1], Float32Array.from(values));
  return op.Add(g, op.Mul(g, planes, perColour(factor)), perColour(offset));
}

function features(g: GraphBuilder, lookup: Lookup, { place, stride, padding, pooled }: AlexNetLayer, x: Value): Value {
  const [weight, bias] = ["weight", "bias"].map((part) => g.weight(lookup(`features.${place}.${part}`)));
  const input = pooled ? op.MaxPool2d(g, x, { kernel: 3, stride: 2 }) : x;
  return op.Relu(g, op.Conv(g, input, weight!, bias, { stride, padding }));
}

/** Features [2, channels, height, width], those of b behind those of a, to a distance [1, 1, 1, 1]. */
function layerDistance(g: GraphBuilder, x: Value, weight: Value): Value {
  const length = op.Sqrt(g, op.Add(g, op.ReduceSumSquare(g, x, 1), g.scalar(EPSILON)));
  const [a, b] = op.Split(g, op.Div(g, x, length), 0, [1, 1]);
  const difference = op.Sub(g, a!, b!);
  const map = op.Conv(g, op.Mul(g, difference, difference), weight, undefined);
  return op.GlobalAveragePool(g, map);
}
