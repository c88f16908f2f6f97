/**
 * How a layer's attention is spread, as a graph without weights that serves all layers: the observers' queries against
 * all keys that attention sees, the cached ones and the scale's own. A lane is one row and head.
 */
import { GraphBuilder } from "../graph/builder.js";
import type { GraphModel } from "../graph/model.js";
import * as op from "../graph/ops/index.js";
import type { CommitShape } from "./lanes.js";

/**
 * Means over the observers of attention weights. Inputs: `past_k` [past, rows, C] float32, `new_k` [tokens, rows, C];
 * `observed` [observers, rows, C], queries as attention uses them; `sources` [past + tokens, sources], 1 where a token
 * belongs to a source scale and 0 elsewhere; `past` [past + tokens], 1 for cached tokens, 0 for the others; `top` [1],
 * at most the number of all tokens. Outputs: `mass` [lanes, 1, sources], the weight on each source scale; `best`
 * [lanes, 1, 1], the sum of the `top` largest weights on cached tokens; `variance` [lanes, 1, 1], the sum over keys of
 * how the weight on a key varies from observer to observer.
 */
export function buildStatistics({ heads, dim, target }: CommitShape): Promise<GraphModel> {
  const g = new GraphBuilder("statistics", target);
  const keys = op.Concat(g, [keysInput(g, "past", heads * dim), keysInput(g, "new", heads * dim)], 0);
  const byLane = op.Reshape(g, keys, [0, -1, dim]);
  const observed = op.Reshape(g, g.input("observed", "float32", ["observers", "rows", heads * dim]), [0, -1, dim]);
  const logits = op.MatMul(g, op.Transpose(g, observed, [1, 0, 2]), op.Transpose(g, byLane, [1, 2, 0]));
  const weights = op.Softmax(g, logits);

  const sources = g.input("sources", "float32", ["all", "sources"]);
  const mean = op.ReduceMean(g, weights, 1);
  g.output("mass", op.MatMul(g, mean, sources), "float32", ["lanes", 1, "sources"]);
  const deviation = op.Sub(g, weights, mean);
  const variance = op.ReduceSum(g, op.ReduceMean(g, op.Mul(g, deviation, deviation), 1), 2);
  g.output("variance", variance, "float32", ["lanes", 1, 1]);
  // Weights are never negative, so zeros in place of the scale's own tokens add nothing to the largest.
  const onPast = op.Mul(g, weights, g.input("past", "float32", ["all"]));
  const largest = op.TopK(g, onPast, g.input("top", "int64", [1])).values;
  g.output("best", op.ReduceMean(g, op.ReduceSum(g, largest, 2), 1), "float32", ["lanes", 1, 1]);
  return g.build();
}

function keysInput(g: GraphBuilder, name: "past" | "new", width: number): ReturnType<GraphBuilder["input"]> {
  return g.input(`${name}_k`, "float32", [name, "rows", width]);
}
