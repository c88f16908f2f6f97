/**
 * One transformer block as a graph: self-attention over the cached tokens and the scale's own, cross-attention to the
 * text, MLP. It runs once a scale. The cache goes in as it lies in the store, and only the new tokens' keys and values
 * come out, so what is cached is never copied back.
 *
 * Axes: rows = the batch's conditional rows, then its unconditional ones; tokens = tokens of this scale; past = cached
 * tokens; text = text tokens, padded to a common length.
 */
import { sliceRows, type StoredTensor } from "../../checkpoint/tensor.js";
import { GraphBuilder, type Value } from "../../graph/builder.js";
import type { GraphModel, GraphTarget } from "../../graph/model.js";
import * as op from "../../graph/ops/index.js";
import { storedInput, widen, type StorageType } from "../../cache/storage.js";
import { NORM_EPSILON, type InfinityConfig } from "./config.js";
import type { Lookup } from "../lookup.js";
import { blockPrefix } from "./names.js";

/** What a layer's graph is written for. */
export interface LayerOptions {
  /** How the cached keys and values come in. */
  readonly storage: StorageType;
  readonly target: GraphTarget;
}

/** The learned factor on the queries of a head is at most exp(ln 100). */
const MAX_LOG_SCALE = Math.log(100);

/** What every part of the block needs. */
interface Block {
  readonly g: GraphBuilder;
  readonly config: InfinityConfig;
  readonly storage: StorageType;
  /** A tensor of this block by the rest of its name. */
  readonly stored: (name: string) => StoredTensor;
  readonly weight: (name: string) => Value;
}

/**
 * The graph of block `layer`.
 *
 * Inputs: `x` [rows, tokens, C]; `modulation` [rows, 6, C]; `cos`, `sin` [tokens, dim/2]; `past_k`, `past_v`
 * [past, rows, C] as stored; `text_k` [rows, H, dim, text], already divided by √dim; `text_v` [rows, H, text, dim];
 * `text_bias` [rows, 1, 1, text], 0 or a large negative number; `observers` [observers], tokens whose queries are wanted.
 * Outputs: `y` [rows, tokens, C]; `new_k`, `new_v` [tokens, rows, C]; the observers' queries [observers, rows, C], as
 * attention uses them (`observed_attention`) and as the bare product with the query matrix (`observed_projected`).
 */
export function buildLayer(
  config: InfinityConfig,
  lookup: Lookup,
  layer: number,
  { storage, target }: LayerOptions,
): Promise<GraphModel> {
  const g = new GraphBuilder(`layer ${layer}`, target);
  const stored = (name: string): StoredTensor => lookup(`${blockPrefix(config, layer)}.${name}`);
  const block: Block = { g, config, storage, stored, weight: (name) => g.weight(stored(name)) };
  const x = g.input("x", "float32", ["rows", "tokens", config.width]);
  const [gamma1, gamma2, scale1, scale2, shift1, shift2] = modulation(block);

  const attended = selfAttention(block, adaptiveNorm(block, x, scale1, shift1));
  const afterSelf = op.Add(g, x, op.Mul(g, attended, gamma1));
  const afterText = op.Add(g, afterSelf, textAttention(block, afterSelf));
  const fed = feedForward(block, adaptiveNorm(block, afterText, scale2, shift2));
  const y = op.Add(g, afterText, op.Mul(g, fed, gamma2));
  g.output("y", y, "float32", ["rows", "tokens", config.width]);
  return g.build();
}

type Six = [Value, Value, Value, Value, Value, Value];

/** The shared modulation plus the block's own: gamma1, gamma2, 1 + scale1, 1 + scale2, shift1, shift2, [rows, 1, C] each. */
function modulation({ g, config, weight }: Block): Six {
  const shared = g.input("modulation", "float32", ["rows", 6, config.width]);
  const own = op.Reshape(g, weight("ada_gss"), [1, 6, config.width]);
  const parts = op.Split(g, op.Add(g, shared, own), 1, [1, 1, 1, 1, 1, 1]) as Six;
  const one = g.scalar(1);
  parts[2] = op.Add(g, parts[2], one);
  parts[3] = op.Add(g, parts[3], one);
  return parts;
}

/** Layer norm without weights of its own, then · scale + shift by row. */
function adaptiveNorm({ g, config }: Block, x: Value, scale: Value, shift: Value): Value {
  return op.AdaptiveLayerNormalization(g, x, scale, shift, { width: config.width, epsilon: NORM_EPSILON });
}

/** Attention of the scale's tokens to the cache and to themselves; declares the cache's inputs and outputs. */
function selfAttention(block: Block, x: Value): Value {
  const { g, config, stored, weight } = block;
  const { width: C, heads } = config;
  // The three parts of the stored [3C, C] matrix are byte ranges of it, so each is a weight of its own.
  const project = (part: number, bias: string): Value =>
    op.Linear(g, x, g.weight(sliceRows(stored("sa.mat_qkv.weight"), part * C, (part + 1) * C)), weight(bias));
  const angles: [Value, Value] = [
    g.input("cos", "float32", ["tokens", C / heads / 2]),
    g.input("sin", "float32", ["tokens", C / heads / 2]),
  ];
  const projected = project(0, "sa.q_bias");
  const q = op.RotaryEmbedding(g, unitHeads(block, projected, queryScale(block)), ...angles);
  const k = op.RotaryEmbedding(g, unitHeads(block, project(1, "sa.zero_k_bias")), ...angles);
  observe(block, q, projected);
  const keys = remember(block, "k", k);
  const values = remember(block, "v", project(2, "sa.v_bias"));
  const attended = op.MultiHeadAttention(g, q, keys, values, { heads, scale: 1 });
  return op.Linear(g, attended, weight("sa.proj.weight"), weight("sa.proj.bias"));
}

/** exp(min(learned, ln 100)) for each head, [H, 1]. */
function queryScale({ g, config, weight }: Block): Value {
  const learned = op.Reshape(g, weight("sa.scale_mul_1H11"), [config.heads, 1]);
  return op.Exp(g, op.Min(g, learned, g.scalar(MAX_LOG_SCALE)));
}

/** Every head's vector brought to length 1, then scaled by head. */
function unitHeads({ g, config }: Block, x: Value, scale?: Value): Value {
  const { heads, width: C } = config;
  const unit = op.LpNormalization(g, op.Reshape(g, x, [0, 0, heads, C / heads]));
  return op.Reshape(g, scale ? op.Mul(g, unit, scale) : unit, [0, 0, C]);
}

/** Joins the cached tokens and the new ones [rows, past + tokens, C], and hands out what the store will keep. */
function remember({ g, config, storage }: Block, name: "k" | "v", fresh: Value): Value {
  const { width, heads } = config;
  const dim = width / heads;
  const past = widen(g, storage, storedInput(g, name, { storage, heads, dim }), dim);
  g.output(`new_${name}`, op.Transpose(g, fresh, [1, 0, 2]), "float32", ["tokens", "rows", width]);
  return op.Concat(g, [op.Transpose(g, past, [1, 0, 2]), fresh], 1);
}

/** Hands out the observers' queries, by which a cache policy judges keys. */
function observe({ g, config, weight }: Block, attention: Value, projected: Value): void {
  const observers = g.input("observers", "int64", ["observers"]);
  const pick = (queries: Value): Value => op.Gather(g, queries, observers, 1);
  const emit = (name: string, queries: Value): void =>
    g.output(name, op.Transpose(g, queries, [1, 0, 2]), "float32", ["observers", "rows", config.width]);
  emit("observed_attention", pick(attention));
  emit("observed_projected", op.Sub(g, pick(projected), weight("sa.q_bias")));
}

/**
 * Attention of the image's tokens to the text. The text is short (at most 512 tokens), so its scores are no larger than
 * the MLP's hidden layer and plain products serve, with a bias for the padding.
 */
function textAttention(block: Block, x: Value): Value {
  const { g, config, weight } = block;
  const { width: C, heads } = config;
  const dim = C / heads;
  const keys = g.input("text_k", "float32", ["rows", heads, dim, "text"]);
  const values = g.input("text_v", "float32", ["rows", heads, "text", dim]);
  const bias = g.input("text_bias", "float32", ["rows", 1, 1, "text"]);
  const normed = op.LayerNormalization(g, x, weight("ca_norm.weight"), weight("ca_norm.bias"), NORM_EPSILON);
  const q = op.Linear(g, normed, weight("ca.mat_q.weight"), weight("ca.mat_q.bias"));
  const byHead = op.Transpose(g, op.Reshape(g, q, [0, 0, heads, dim]), [0, 2, 1, 3]);
  const scores = op.Softmax(g, op.Add(g, op.MatMul(g, byHead, keys), bias));
  const read = op.Transpose(g, op.MatMul(g, scores, values), [0, 2, 1, 3]);
  return op.Linear(g, op.Reshape(g, read, [0, 0, C]), weight("ca.proj.weight"), weight("ca.proj.bias"));
}

/** The MLP, tanh GELU between its two layers. */
function feedForward({ g, weight }: Block, x: Value): Value {
  const hidden = op.Linear(g, x, weight("ffn.fc1.weight"), weight("ffn.fc1.bias"));
  return op.Linear(g, op.FastGelu(g, hidden), weight("ffn.fc2.weight"), weight("ffn.fc2.bias"));
}
