/**
 * One transformer block: self-attention over the cached tokens and the scale's own, cross-attention to the text, MLP. It
 * runs once a scale. The cache goes in as it lies in the store, and only the new tokens' keys and values come out, so what
 * is cached is never copied back.
 *
 * On a target that can loop a block is one graph. It makes queries, keys and values for one piece of the tokens after
 * another (`pieces.ts`), attends for some heads of one row after another, so that only their keys lie joined, and runs the
 * rest in pieces again: where no token needs another's state, what it holds is bounded and stays in the processor's caches.
 *
 * On one that cannot a block is two graphs. The first makes queries, keys and values of all tokens; the second does the rest
 * for one piece of them, and is run once a piece (`device-layer.ts`): no adapter takes buffers as large as one likes.
 *
 * Axes: rows = the batch's conditional rows, then its unconditional ones; tokens = tokens of this scale; past = cached
 * tokens; text = text tokens, padded to a common length.
 */
import { GraphBuilder, type Axis, type Value } from "../../graph/builder.js";
import type { WeightsStore } from "../../graph/externals.js";
import type { GraphModel, GraphTarget, WeightType } from "../../graph/model.js";
import * as op from "../../graph/ops/index.js";
import type { StorageType } from "../../cache/storage.js";
import type { Tensors } from "../../runtime/session.js";
import type { Tensor } from "../../runtime/tensor.js";
import { behindAttention } from "./behind-attention.js";
import { bySlot, type Block, type SlotTokens } from "./block.js";
import type { InfinityConfig } from "./config.js";
import type { Lookup } from "../lookup.js";
import { modulation } from "./modulation.js";
import { blockPrefix } from "./names.js";
import { keyBias, queriesAndKeys } from "./queries-and-keys.js";
import { attend, attendByLane, joinRows, type Joined } from "./self-attention.js";

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

/** What the graphs of a block take, beside the state. */
export interface LayerFeeds {
  readonly modulation: Tensor;
  /** Angles, observers and the cache, with which queries, keys and values are made. */
  readonly making: Tensors;
  /** The text. */
  readonly reading: Tensors & Readonly<Record<"text_k", Tensor>>;
}

/** The graphs of a block on a target without loops. */
export interface LayerHalves {
  readonly making: GraphModel;
  readonly reading: GraphModel;
}

/**
 * The graph of block `layer` on a target with loops.
 *
 * Inputs: `x` [rows, tokens, C]; `modulation` [rows, 6, C]; `cos`, `sin` [tokens, dim/2]; `past_k`, `past_v`
 * [past, rows, C] as stored; `text_k`, already divided by √dim, and `text_v` [rows, text, C]; `observers` [observers], tokens
 * whose queries are wanted; `piece_rows` [pieces, rows of one] and `piece_tokens` [pieces, 2], see `pieces.ts`;
 * `text_starts`, `text_ends` [rows, 2], see `text-attention.ts`.
 * Outputs: `y` [pieces, rows of one, tokens of one, C], which lies as [rows, tokens, C] does; `new_k`, `new_v`
 * [tokens, rows, C]; the observers' queries [observers, rows, C], as attention uses them (`observed_attention`) and as the
 * bare product with the query matrix (`observed_projected`).
 * Where cached tokens may stand for several, also `past_k_bias` [past, rows, H], which is added to their logits.
 * Headwise, what concerns the cache is there for every head, dim instead of C wide: `past_k.0`, `past_k.1` and so on.
 */
export async function buildLayer(
  config: InfinityConfig,
  lookup: Lookup,
  layer: number,
  options: LayerOptions,
): Promise<GraphModel> {
  const block = newBlock(`layer ${layer}`, config, lookup, layer, options);
  const { g } = block;
  const x = g.input("x", "float32", ["rows", "tokens", config.width]);
  const modulated = modulation(block);
  const { q, keys, values } = queriesAndKeys(block, x, modulated, await keyBias(block));
  const seen = g.part("attention", () => attendByLane(block, q, keys, values));
  const axes = ["pieces", "piece rows", "piece tokens", config.width];
  g.output("y", behindAttention(block, x, seen, modulated), "float32", axes);
  return g.build(options.store);
}

/**
 * The graphs of block `layer` on a target without loops.
 *
 * Of the inputs and outputs of {@link buildLayer} the first graph has `x`, `modulation`, `cos`, `sin`, `observers` and what
 * concerns the cache. For the second it gives `q` [rows, tokens, C] and, for every slot of heads, `keys.0`, `values.0` and so
 * on: [rows, past + tokens, channels], with a channel more for each head of keys that may stand for several.
 *
 * The second takes these, `x`, `modulation`, `text_k`, `text_v`, `text_bias` [rows, 1, 1, text] (`text-attention.ts`), `piece`
 * [2], the first of the tokens that it works on and the one after the last, and `done` [rows, tokens before them, C]. Its
 * output `y` [rows, tokens so far, C] is `done` and what comes of the piece behind it.
 */
export async function buildLayerHalves(
  config: InfinityConfig,
  lookup: Lookup,
  layer: number,
  options: LayerOptions,
): Promise<LayerHalves> {
  const making = await makingHalf(newBlock(`layer ${layer}, making`, config, lookup, layer, options));
  const reading = readingHalf(newBlock(`layer ${layer}, reading`, config, lookup, layer, options));
  return { making: await making.build(options.store), reading: await reading.build(options.store) };
}

async function makingHalf(block: Block): Promise<GraphBuilder> {
  const { g, config } = block;
  const x = g.input("x", "float32", ["rows", "tokens", config.width]);
  const { q, keys, values } = queriesAndKeys(block, x, modulation(block), await keyBias(block));
  g.output("q", q, "float32", ["rows", "tokens", config.width]);
  const join = (name: "keys" | "values", slots: readonly SlotTokens[]): void => {
    for (const [i, slot] of slots.entries()) {
      const { tokens } = g.part("attention", () => joinRows(block, slot));
      g.output(`${name}.${i}`, tokens, block.attention, joinedAxes(block, name, slot.heads));
    }
  };
  join("keys", keys);
  join("values", values);
  return g;
}

function readingHalf(block: Block): GraphBuilder {
  const { g, config, slots } = block;
  const state = (name: string, tokens: string): Value => g.input(name, "float32", ["rows", tokens, config.width]);
  const joined = (name: "keys" | "values"): Joined[] =>
    slots.map(({ heads }, i) => ({
      heads,
      tokens: g.input(`${name}.${i}`, block.attention, joinedAxes(block, name, heads)),
    }));
  const piece = g.input("piece", "int64", [2]);
  const [first, last] = [op.Slice(g, piece, 0, 0, 1), op.Slice(g, piece, 0, 1, 2)];
  const [x, q] = ["x", "q"].map((name) => op.Slice(g, state(name, "tokens"), 1, first, last)) as [Value, Value];
  const [keys, values] = [joined("keys"), joined("values")];
  const seen = g.part("attention", () => attend(block, bySlot(block, q), keys, values));
  const y = behindAttention(block, x, seen, modulation(block));
  g.output("y", op.Concat(g, [state("done", "done"), y], 1), "float32", ["rows", "so far", config.width]);
  return g;
}

/** Keys or values of so many heads, as attention takes them. */
function joinedAxes({ config, merging }: Block, name: "keys" | "values", heads: number): Axis[] {
  return ["rows", "known", heads * (config.width / config.heads + Number(merging && name === "keys"))];
}

function newBlock(
  name: string,
  config: InfinityConfig,
  lookup: Lookup,
  layer: number,
  { storage, target, headwise, merging = false, weights }: LayerOptions,
): Block {
  const g = new GraphBuilder(name, target, weights);
  const stored: Block["stored"] = (rest) => lookup(`${blockPrefix(config, layer)}.${rest}`);
  const slots = headwise
    ? Array.from({ length: config.heads }, (_, head) => ({ head, heads: 1 }))
    : [{ head: undefined, heads: config.heads }];
  const weight: Block["weight"] = (rest) => g.weight(stored(rest));
  const matrix: Block["matrix"] = (rest) => g.matrix(stored(rest));
  // Plain products, which a channel more for merging also leads to, would keep their scores in it, too; a loop joins float32.
  const attention = target.fusedAttention && !target.loops && !merging ? g.work : "float32";
  return { g, config, storage, merging, attention, slots, stored, weight, matrix };
}
