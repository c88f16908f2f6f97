/** The small graphs around the blocks: codes to hidden state, guidance between layers, hidden state to logits. */
import { GraphBuilder } from "../../graph/builder.js";
import type { GraphModel, GraphTarget } from "../../graph/model.js";
import * as op from "../../graph/ops/index.js";
import { NORM_EPSILON, type InfinityConfig } from "./config.js";
import type { Lookup } from "../lookup.js";

/**
 * The input of every scale but the first. Inputs: `codes` [rows, tokens, bits], the codes so far, resized to the scale;
 * `level` [1], the scale's number. Output: `x` [rows, tokens, C].
 */
export function buildEmbedding(config: InfinityConfig, lookup: Lookup, target: GraphTarget): Promise<GraphModel> {
  const g = new GraphBuilder("embedding", target);
  const codes = g.input("codes", "float32", ["rows", "tokens", config.bits]);
  const level = g.input("level", "int64", [1]);
  const words = op.Linear(g, codes, g.weight(lookup("word_embed.weight")), g.weight(lookup("word_embed.bias")));
  const levels = op.Gather(g, g.weight(lookup("lvl_embed.weight")), level);
  g.output("x", op.Add(g, words, levels), "float32", ["rows", "tokens", config.width]);
  return g.build();
}

/**
 * The head. Inputs: `x` [rows, tokens, C]; `modulation` [rows, 2, C], scale and shift. Output: `logits`
 * [rows, tokens, 2 · bits]: for every bit the logit of 0 and the logit of 1.
 */
export function buildHead(config: InfinityConfig, lookup: Lookup, target: GraphTarget): Promise<GraphModel> {
  const g = new GraphBuilder("head", target);
  const x = g.input("x", "float32", ["rows", "tokens", config.width]);
  const modulation = g.input("modulation", "float32", ["rows", 2, config.width]);
  const [scale, shift] = op.Split(g, modulation, 1, [1, 1]);
  const factor = op.Add(g, scale!, g.scalar(1));
  const normed = op.AdaptiveLayerNormalization(g, x, factor, shift!, { width: config.width, epsilon: NORM_EPSILON });
  const logits = op.Linear(g, normed, g.weight(lookup("head.weight")), g.weight(lookup("head.bias")));
  g.output("logits", logits, "float32", ["rows", "tokens", 2 * config.bits]);
  return g.build();
}

/**
 * Guidance on the hidden state: both halves become g · conditional + (1 − g) · unconditional. Inputs: `x`
 * [2 · batch, tokens, C], conditional rows first; `guidance`, a scalar. Output: `y`, the same shape.
 */
export function buildGuidance(config: InfinityConfig): Promise<GraphModel> {
  const g = new GraphBuilder("guidance");
  const x = g.input("x", "float32", ["rows", "tokens", config.width]);
  const guidance = g.input("guidance", "float32", []);
  const pairs = op.Reshape(g, x, [2, -1, config.width]);
  const conditional = op.Slice(g, pairs, 0, 0, 1);
  const unconditional = op.Slice(g, pairs, 0, 1, 2);
  const difference = op.Sub(g, conditional, unconditional);
  const mixed = op.Add(g, unconditional, op.Mul(g, difference, guidance));
  const both = op.Concat(g, [mixed, mixed], 0);
  g.output("y", op.ReshapeTo(g, both, op.Shape(g, x)), "float32", ["rows", "tokens", config.width]);
  return g.build();
}
