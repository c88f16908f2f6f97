/**
 * What a text means to the transformer, computed once an image for each text by itself (so that it never depends on
 * the texts beside it): the first token, the modulation of every block and of the head, and every block's keys and
 * values for cross-attention, which the published code computes again at every scale.
 */
import { sliceRows } from "../../checkpoint/tensor.js";
import { GraphBuilder, type Matrix, type Value } from "../../graph/builder.js";
import type { WeightsStore } from "../../graph/externals.js";
import type { GraphModel, GraphTarget, WeightType } from "../../graph/model.js";
import * as op from "../../graph/ops/index.js";
import { NORM_EPSILON, type InfinityConfig } from "./config.js";
import type { Lookup } from "../lookup.js";
import { blockPrefix } from "./names.js";

/**
 * The conditioning graph.
 *
 * Input: `features` [1, text, textChannels], the text encoder's last hidden state.
 * Outputs: `start` [1, 1, C], the first scale's token; `modulation` [1, 6, C]; `head_modulation` [1, 2, C]; for every
 * layer `text_k.{layer}`, divided by √dim, and `text_v.{layer}`, [1, text, C] each.
 */
export function buildConditioning(
  config: InfinityConfig,
  lookup: Lookup,
  target: GraphTarget,
  weights: WeightType = "fp32",
  store?: WeightsStore,
): Promise<GraphModel> {
  // It works once on few tokens, for which a GPU's units for float16 would gain nothing.
  const g = new GraphBuilder("conditioning", { ...target, halves: false }, conditioningWeights(weights));
  const weight = (name: string): Value => g.weight(lookup(name));
  const matrix = (name: string): Matrix => g.matrix(lookup(name));
  const { width: C } = config;
  const features = g.input("features", "float32", [1, "text", config.textChannels]);
  const text = op.RmsNormalization(g, features, weight("text_norm.weight"), NORM_EPSILON);
  const condition = attentivePool(g, lookup, text);

  const level0 = op.Gather(g, weight("lvl_embed.weight"), g.ints([0]));
  const start = op.Add(g, condition, op.Add(g, weight("pos_start"), level0));
  g.output("start", start, "float32", [1, 1, C]);
  const activated = op.Silu(g, condition);
  modulationOutput(g, "modulation", activated, weight, "shared_ada_lin.1", 6, C);
  modulationOutput(g, "head_modulation", activated, weight, "head_nm.ada_lin.1", 2, C);

  const hidden = op.FastGelu(
    g,
    op.Linear(g, text, matrix("text_proj_for_ca.0.weight"), weight("text_proj_for_ca.0.bias")),
  );
  const projected = op.Linear(g, hidden, matrix("text_proj_for_ca.2.weight"), weight("text_proj_for_ca.2.bias"));
  for (let layer = 0; layer < config.depth; layer++) textKeysAndValues(g, config, lookup, projected, layer);
  return g.build(store);
}

/**
 * How the conditioning holds its matrices. It works once an image on few tokens, so integers from end to end would gain it
 * nothing, and features of T5 have channels far larger than the others: blocks keep what those do to themselves.
 */
export function conditioningWeights(weights: WeightType): WeightType {
  return weights === "w8a8" ? "q8" : weights;
}

/** The text as one vector [1, 1, C]: learned queries, one a head, attend to the text's tokens. */
function attentivePool(g: GraphBuilder, lookup: Lookup, text: Value): Value {
  const prefix = "text_proj_for_sos.ca";
  const queries = lookup(`${prefix}.mat_q`);
  const [, heads = 0, dim = 0] = queries.shape;
  const { keys, values } = keysAndValues(g, lookup, text, prefix, { heads, dim });
  const byHead = (x: Value, perm: readonly number[]): Value =>
    op.Transpose(g, op.Reshape(g, x, [0, 0, heads, dim]), perm);
  const q = op.Reshape(g, g.weight(queries), [1, heads, 1, dim]);
  const scores = op.Softmax(g, op.MatMul(g, q, byHead(keys, [0, 2, 3, 1])));
  const read = op.MatMul(g, scores, byHead(values, [0, 2, 1, 3]));
  const pooled = op.Reshape(g, read, [1, 1, heads * dim]);
  return op.Linear(g, pooled, g.weight(lookup(`${prefix}.proj.weight`)), g.weight(lookup(`${prefix}.proj.bias`)));
}

/** Keys, divided by √dim, and values of a cross-attention's `mat_kv`, [1, text, heads · dim] each. */
function keysAndValues(
  g: GraphBuilder,
  lookup: Lookup,
  text: Value,
  prefix: string,
  { heads, dim }: { heads: number; dim: number },
): { keys: Value; values: Value } {
  const matrix = lookup(`${prefix}.mat_kv.weight`);
  const C = heads * dim;
  const project = (part: number, bias: string): Value => {
    const rows = g.matrix(sliceRows(matrix, part * C, (part + 1) * C));
    return op.Linear(g, text, rows, g.weight(lookup(`${prefix}.${bias}`)));
  };
  return { keys: op.Mul(g, project(0, "zero_k_bias"), g.scalar(1 / Math.sqrt(dim))), values: project(1, "v_bias") };
}

function textKeysAndValues(g: GraphBuilder, config: InfinityConfig, lookup: Lookup, text: Value, layer: number): void {
  const { width, heads } = config;
  const sizes = { heads, dim: width / heads };
  const { keys, values } = keysAndValues(g, lookup, text, `${blockPrefix(config, layer)}.ca`, sizes);
  g.output(`text_k.${layer}`, keys, "float32", [1, "text", width]);
  g.output(`text_v.${layer}`, values, "float32", [1, "text", width]);
}

/** A linear layer on the activated condition, seen as `parts` vectors of width C. */
function modulationOutput(
  g: GraphBuilder,
  name: string,
  activated: Value,
  weight: (name: string) => Value,
  layer: string,
  parts: number,
  C: number,
): void {
  const flat = op.Linear(g, activated, weight(`${layer}.weight`), weight(`${layer}.bias`));
  g.output(name, op.Reshape(g, flat, [1, parts, C]), "float32", [1, parts, C]);
}
