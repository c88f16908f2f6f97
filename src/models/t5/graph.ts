/**
 * One block of the T5 encoder as a graph: self-attention, then a gated feed-forward layer, each behind an RMS norm and
 * added to its input. No layer has a bias. Attention scores are not divided by √headDim (the published weights were
 * initialised for that); the relative position bias takes the place of a position embedding.
 *
 * Everything is computed in float32: the hidden state of the larger FLAN-T5 models overflows float16.
 */
import { GraphBuilder, type Value } from "../../graph/builder.js";
import type { GraphModel } from "../../graph/model.js";
import * as op from "../../graph/ops/index.js";
import type { T5Config } from "./config.js";
import type { T5LayerWeights, T5Weights } from "./weights.js";

/** What both halves of a block need. */
interface Block {
  readonly g: GraphBuilder;
  readonly config: T5Config;
  readonly weights: T5LayerWeights;
}

/**
 * The graph of one block; the last one ends with the encoder's final norm.
 *
 * Inputs: `x` [tokens, width], one text without padding; `position_bias` [heads, tokens, tokens].
 * Output: `y` [tokens, width].
 */
export function buildT5Layer(config: T5Config, { layers, finalNorm }: T5Weights, layer: number): Promise<GraphModel> {
  const weights = layers[layer];
  if (!weights) throw new RangeError(`T5 layer ${layer} of ${layers.length}`);
  const g = new GraphBuilder(`T5 layer ${layer}`);
  const block = { g, config, weights };
  const x = g.input("x", "float32", ["tokens", config.width]);
  const attended = op.Add(g, x, selfAttention(block, x));
  const fed = op.Add(g, attended, feedForward(block, attended));
  const last = layer === layers.length - 1;
  const y = last ? op.RmsNormalization(g, fed, g.weight(finalNorm), config.epsilon) : fed;
  g.output("y", y, "float32", ["tokens", config.width]);
  return g.build();
}

/** softmax(q kᵀ + position bias) v by head. A text has 512 tokens at most, so its score matrix may exist whole. */
function selfAttention({ g, config, weights }: Block, x: Value): Value {
  const { heads, headDim, epsilon } = config;
  const bias = g.input("position_bias", "float32", [heads, "tokens", "tokens"]);
  const normed = op.RmsNormalization(g, x, g.weight(weights.attentionNorm), epsilon);
  const byHead = (matrix: keyof T5LayerWeights, perm: readonly number[]): Value => {
    const projected = op.Gemm(g, normed, g.weight(weights[matrix]));
    return op.Transpose(g, op.Reshape(g, projected, [-1, heads, headDim]), perm);
  };
  const q = byHead("q", [1, 0, 2]); // [heads, tokens, headDim]
  const k = byHead("k", [1, 2, 0]); // [heads, headDim, tokens]
  const v = byHead("v", [1, 0, 2]);
  const scores = op.Softmax(g, op.Add(g, op.MatMul(g, q, k), bias));
  const read = op.Transpose(g, op.MatMul(g, scores, v), [1, 0, 2]);
  return op.Gemm(g, op.Reshape(g, read, [-1, heads * headDim]), g.weight(weights.o));
}

/** down(GELU(gate x) · up x), with the tanh form of GELU. */
function feedForward({ g, config, weights }: Block, x: Value): Value {
  const normed = op.RmsNormalization(g, x, g.weight(weights.feedForwardNorm), config.epsilon);
  const gate = op.FastGelu(g, op.Gemm(g, normed, g.weight(weights.gate)));
  const gated = op.Mul(g, gate, op.Gemm(g, normed, g.weight(weights.up)));
  return op.Gemm(g, gated, g.weight(weights.down));
}
