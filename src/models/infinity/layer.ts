/**
 * One transformer block as a graph: self-attention over the cached tokens and the scale's own, cross-attention to the
 * text, MLP. It runs once a scale. The cache goes in as it lies in the store, and only the new tokens' keys and values
 * come out, so what is cached is never copied back.
 *
 * A device that can loop makes queries, keys and values for one piece of the tokens after another (`pieces.ts`), attends for
 * some heads of one row after another, so that only their keys lie joined, and runs the rest in pieces again: where no token
 * needs another's state, what it holds is bounded and stays in the processor's caches.
 *
 * Axes: rows = the batch's conditional rows, then its unconditional ones; tokens = tokens of this scale; past = cached
 * tokens; text = text tokens, padded to a common length.
 */
import { readFloat32 } from "../../checkpoint/read.js";
import { sliceRows, type StoredTensor } from "../../checkpoint/tensor.js";
import { GraphBuilder, type Matrix, type Value } from "../../graph/builder.js";
import type { WeightsStore } from "../../graph/externals.js";
import type { GraphModel, GraphTarget, WeightType } from "../../graph/model.js";
import * as op from "../../graph/ops/index.js";
import { headName, storedInput, type StorageType } from "../../cache/storage.js";
import { bySlot, type Block, type SlotTokens } from "./block.js";
import { byPieces, whole } from "./by-pieces.js";
import { NORM_EPSILON, type InfinityConfig } from "./config.js";
import type { Lookup } from "../lookup.js";
import { blockPrefix } from "./names.js";
import { selfAttention } from "./self-attention.js";
import { textAttention, textInputs } from "./text-attention.js";

/** What a layer's graph is written for. */
export interface LayerOptions {
  /** How the cached keys and values come in. */
  readonly storage: StorageType;
  readonly target: GraphTarget;
  /** Every head has cached tokens of its own number. Default false: all heads of a layer have equally many. */
  readonly headwise?: boolean | undefined;
  /** A cached token may stand for several. Default false. */
  readonly merging?: boolean | undefined;
  /** How the block's matrices are held. Default `fp32`. */
  readonly weights?: WeightType | undefined;
  /** Keeps weights that cannot be mapped from the checkpoint. Default: they are made anew. */
  readonly store?: WeightsStore | undefined;
}

/** What a layer's time is divided into; nodes under none of these names are norms, modulation and rotation. */
export const LAYER_PARTS = ["projections", "attention", "text", "mlp"] as const;

/** The learned factor on the queries of a head is at most exp(ln 100). */
const MAX_LOG_SCALE = Math.log(100);

/**
 * The graph of block `layer`.
 *
 * Inputs: `x` [rows, tokens, C]; `modulation` [rows, 6, C]; `cos`, `sin` [tokens, dim/2]; `past_k`, `past_v`
 * [past, rows, C] as stored; `text_k`, already divided by √dim, and `text_v` [rows, text, C]; `observers` [observers], tokens
 * whose queries are wanted. On a target with loops `piece_rows` [pieces, rows of one] and `piece_tokens` [pieces, 2], see
 * `pieces.ts`, and `text_starts`, `text_ends` [rows, 2]; elsewhere `text_bias` [rows, 1, 1, text], see `text-attention.ts`.
 * Outputs: `y` [rows, tokens, C], on a target with loops [pieces, rows of one, tokens of one, C], which lies as the same;
 * `new_k`, `new_v` [tokens, rows, C]; the observers' queries [observers, rows, C], as
 * attention uses them (`observed_attention`) and as the bare product with the query matrix (`observed_projected`).
 * Where cached tokens may stand for several, also `past_k_bias` [past, rows, H], which is added to their logits.
 * Headwise, what concerns the cache is there for every head, dim instead of C wide: `past_k.0`, `past_k.1` and so on.
 */
export async function buildLayer(
  config: InfinityConfig,
  lookup: Lookup,
  layer: number,
  { storage, target, headwise, merging = false, weights, store }: LayerOptions,
): Promise<GraphModel> {
  const g = new GraphBuilder(`layer ${layer}`, target, weights);
  const stored = (name: string): StoredTensor => lookup(`${blockPrefix(config, layer)}.${name}`);
  const slots = headwise
    ? Array.from({ length: config.heads }, (_, head) => ({ head, heads: 1 }))
    : [{ head: undefined, heads: config.heads }];
  const weight = (name: string): Value => g.weight(stored(name));
  const matrix = (name: string): Matrix => g.matrix(stored(name));
  // Plain products, which a channel more for merging also leads to, would keep their scores in it, too; a loop joins float32.
  const attention = target.fusedAttention && !target.loops && !merging ? g.work : "float32";
  const block: Block = { g, config, storage, merging, attention, slots, stored, weight, matrix };
  const x = g.input("x", "float32", ["rows", "tokens", config.width]);
  const modulated = modulation(block);
  const { q, keys, values } = queriesAndKeys(block, x, modulated, await keyBias(block));
  const seen = g.part("attention", () => selfAttention(block, q, keys, values));
  const axes = target.loops ? ["pieces", "piece rows", "piece tokens"] : ["rows", "tokens"];
  g.output("y", behindAttention(block, x, seen, modulated), "float32", [...axes, config.width]);
  return g.build(store);
}

/** What comes after self-attention, given the state before it and what was read: a gated projection, the text, the MLP. */
function behindAttention(block: Block, x: Value, seen: Value, { gamma1, gamma2, scale2, shift2 }: Modulation): Value {
  const { g, weight, matrix } = block;
  const text = textInputs(block);
  const { byToken } = byPieces(g, [x, seen], (piece, [before, read]) => {
    const { rows } = piece;
    const attended = g.part("projections", () =>
      op.Linear(g, read!, matrix("sa.proj.weight"), weight("sa.proj.bias"), {
        xInWork: block.attention === "float16",
      }),
    );
    const afterSelf = op.Add(g, before!, op.Mul(g, attended, rows(gamma1)));
    const told = g.part("text", () => textAttention(block, afterSelf, text, piece));
    const afterText = op.Add(g, afterSelf, told);
    const normed = adaptiveNorm(block, afterText, rows(scale2), rows(shift2));
    const fed = g.part("mlp", () => feedForward(block, normed));
    return { byToken: [op.Add(g, afterText, op.Mul(g, fed, rows(gamma2)))], picked: [] };
  });
  return byToken[0]!;
}

/** What the text makes of a block, [rows, 1, C] each. */
interface Modulation {
  readonly gamma1: Value;
  readonly gamma2: Value;
  /** 1 + what was learned. */
  readonly scale1: Value;
  readonly scale2: Value;
  readonly shift1: Value;
  readonly shift2: Value;
}

/** The shared modulation plus the block's own. */
function modulation({ g, config, weight }: Block): Modulation {
  const shared = g.input("modulation", "float32", ["rows", 6, config.width]);
  const own = op.Reshape(g, weight("ada_gss"), [1, 6, config.width]);
  const parts = op.Split(g, op.Add(g, shared, own), 1, [1, 1, 1, 1, 1, 1]);
  const [gamma1, gamma2, scale1, scale2, shift1, shift2] = parts as [Value, Value, Value, Value, Value, Value];
  const one = g.scalar(1);
  return { gamma1, gamma2, scale1: op.Add(g, scale1, one), scale2: op.Add(g, scale2, one), shift1, shift2 };
}

/** Layer norm without weights of its own, then · scale + shift by row. */
function adaptiveNorm({ g, config }: Block, x: Value, scale: Value, shift: Value): Value {
  return op.AdaptiveLayerNormalization(g, x, scale, shift, { width: config.width, epsilon: NORM_EPSILON });
}

/** What attention works with. */
interface QueriesAndKeys {
  /** [rows, tokens, C]. */
  readonly q: Value;
  /** By slot. */
  readonly keys: readonly SlotTokens[];
  readonly values: readonly SlotTokens[];
}

/** What is added to the keys: nothing, unless the checkpoint has other numbers than the zeros that training leaves as they are. */
async function keyBias({ stored, weight }: Block): Promise<Value | undefined> {
  const bias = await readFloat32(stored("sa.zero_k_bias"));
  return bias.some((value) => value !== 0) ? weight("sa.zero_k_bias") : undefined;
}

/** Makes them of the state x, and declares the cache's inputs and outputs. */
function queriesAndKeys(
  block: Block,
  x: Value,
  { scale1, shift1 }: Modulation,
  addedToKeys: Value | undefined,
): QueriesAndKeys {
  const { g, config, stored, weight } = block;
  const { width: C, heads } = config;
  // The three parts of the stored [3C, C] matrix are byte ranges of it, so each is a weight of its own.
  const third = (part: number): Matrix => g.matrix(sliceRows(stored("sa.mat_qkv.weight"), part * C, (part + 1) * C));
  const [cos, sin] = ["cos", "sin"].map((name) => g.input(name, "float32", ["tokens", C / heads / 2]));
  const observers = g.input("observers", "int64", ["observers"]);
  const ownScale = queryScale(block);
  const { byToken, picked } = byPieces(g, [x], ({ rows, positions, pick }, [own]) => {
    const normed = adaptiveNorm(block, own!, rows(scale1), rows(shift1));
    const project = (part: number, bias: Value | undefined): Value =>
      g.part("projections", () => op.Linear(g, normed, third(part), bias));
    const rotate = (heads: Value): Value => op.RotaryEmbedding(g, heads, positions(cos!), positions(sin!));
    const projected = project(0, weight("sa.q_bias"));
    const q = rotate(unitHeads(block, projected, ownScale));
    const k = rotate(unitHeads(block, project(1, addedToKeys)));
    return { byToken: [q, k, project(2, weight("sa.v_bias"))], picked: [pick(projected, observers)] };
  });
  const [q, k, v] = byToken.map((value) => whole(g, value, x)) as [Value, Value, Value];
  observe(block, "observed_attention", op.Gather(g, q, observers, 1));
  observe(block, "observed_projected", op.Sub(g, picked[0]!, weight("sa.q_bias")));
  return { q, keys: remember(block, "k", k), values: remember(block, "v", v) };
}

/** exp(min(learned, ln 100)) for each head, [H]. */
function queryScale({ g, config, weight }: Block): Value {
  const learned = op.Reshape(g, weight("sa.scale_mul_1H11"), [config.heads]);
  return op.Exp(g, op.Min(g, learned, g.scalar(MAX_LOG_SCALE)));
}

/** Every head's vector brought to length 1, then scaled by head. */
function unitHeads({ g, config: { width, heads } }: Block, x: Value, scale?: Value): Value {
  const byHead = op.Reshape(g, x, [0, 0, heads, width / heads]);
  return op.Reshape(g, op.UnitVectors(g, byHead, width / heads, scale), [0, 0, width]);
}

/** Declares the cache's tokens by slot, and hands out the new ones that the store will keep. */
function remember(block: Block, name: "k" | "v", fresh: Value): SlotTokens[] {
  const { g, config, storage, merging, slots } = block;
  const dim = config.width / config.heads;
  return bySlot(block, fresh).map((own, i) => {
    const { head, heads } = slots[i]!;
    const kept = op.Transpose(g, own, [1, 0, 2]);
    g.output(headName(`new_${name}`, head), kept, "float32", ["tokens", "rows", heads * dim]);
    return { heads, past: storedInput(g, name, { storage, heads, dim, merging, head }), own: kept };
  });
}

/** Hands out the observers' queries [rows, observers, C] by slot, by which a cache policy judges keys. */
function observe(block: Block, name: string, queries: Value): void {
  const { g, config, slots } = block;
  for (const [i, own] of bySlot(block, queries).entries()) {
    const { head, heads } = slots[i]!;
    const axes = ["observers", "rows", (heads * config.width) / config.heads];
    g.output(headName(name, head), op.Transpose(g, own, [1, 0, 2]), "float32", axes);
  }
}

/** No number's GELU is below this: the least is −0.1700, of −0.752. */
const LEAST_GELU = -0.171;

/** The MLP, tanh GELU between its two layers; it adds the first one's bias, which a product on a processor copies first. */
function feedForward({ g, weight, matrix }: Block, x: Value): Value {
  const hidden = op.Linear(g, x, matrix("ffn.fc1.weight"), undefined, { yInWork: true });
  const activated = op.FastGelu(g, hidden, g.castAtLoad(weight("ffn.fc1.bias"), g.work));
  return op.Linear(g, activated, matrix("ffn.fc2.weight"), weight("ffn.fc2.bias"), {
    xInWork: true,
    xLeast: LEAST_GELU,
  });
}
