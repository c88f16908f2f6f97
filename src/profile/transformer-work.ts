/** What the Infinity transformer has to do, by formula; shapes as in `models/infinity`. */
import { bytesPerToken, type StorageType } from "../cache/storage.js";
import type { Eviction, Plan } from "../cache/policy.js";
import type { WeightType } from "../graph/model.js";
import { BLOCKS } from "../graph/quantize/blocks.js";
import { conditioningWeights } from "../models/infinity/conditioning.js";
import type { InfinityConfig } from "../models/infinity/config.js";
import type { LAYER_PARTS } from "../models/infinity/layer.js";
import { FLOAT, product, type Work } from "./work.js";

/** Bytes that an element of a large matrix takes: in blocks, with its share of the block's scale (of a row's, it is next to nothing). */
const WEIGHT_BYTES: Readonly<Record<WeightType, number>> = {
  fp32: FLOAT,
  fp16: FLOAT / 2,
  q8: 1 + FLOAT / BLOCKS.float32,
  w8a8: 1,
  q4: 1 / 2 + FLOAT / BLOCKS.float32,
};

/** One scale as one layer sees it. */
export interface LayerTask {
  /** Sequences side by side. */
  readonly rows: number;
  /** Tokens of the scale's map. */
  readonly tokens: number;
  /** Cached tokens; the mean over the layers or heads, as all counts are proportional to it. */
  readonly past: number;
  /** Tokens of the text, the mean over the rows. */
  readonly text: number;
  readonly weights: WeightType;
  readonly storage: StorageType;
}

/** Part of a layer, as its graph names them. */
export type LayerPart = (typeof LAYER_PARTS)[number];

/** One layer at one scale, by part. Norms, modulation and rotation could be done in passing, so they count for nothing. */
export function layerWork(config: InfinityConfig, task: LayerTask): Record<LayerPart, Work> {
  const { width: C, heads, hidden } = config;
  const { rows, tokens, past, text, weights, storage } = task;
  const all = rows * tokens;
  const state = FLOAT * all * C;
  const matrices = (elements: number): number => WEIGHT_BYTES[weights] * elements;
  const cached = rows * past * bytesPerToken(storage, heads, C / heads);
  const textBytes = FLOAT * rows * text * 2 * C;
  return {
    // Queries, keys and values of the state, and the state of what was read.
    projections: { operations: { [weights]: product(all, C, 4 * C) }, bytes: matrices(4 * C * C) + 6 * state },
    // Scores and what they weigh; in go queries, keys and values, out comes what was read.
    attention: { operations: { fp32: 2 * product(all, C, past + tokens) }, bytes: cached + 4 * state },
    // The same with the text's keys and values, between two projections of the state.
    text: sum(
      { operations: { [weights]: product(all, C, 2 * C) }, bytes: matrices(2 * C * C) + 4 * state },
      { operations: { fp32: 2 * product(all, C, text) }, bytes: textBytes },
    ),
    mlp: { operations: { [weights]: product(all, C, 2 * hidden) }, bytes: matrices(2 * C * hidden) + 2 * state },
  };
}

function sum(a: Work, b: Work): Work {
  const fp32 = (a.operations.fp32 ?? 0) + (b.operations.fp32 ?? 0);
  return { operations: { ...a.operations, ...b.operations, fp32 }, bytes: a.bytes + b.bytes };
}

/** From codes to the hidden state; the codes of all scales are read to be resized, `summed` numbers for the batch. */
export function embeddingWork({ width, bits }: InfinityConfig, rows: number, tokens: number, summed: number): Work {
  const all = rows * tokens;
  return { operations: { fp32: product(all, bits, width) }, bytes: FLOAT * (summed + all * (bits + width)) };
}

/** From the hidden state to two logits a bit. */
export function headWork({ width, bits }: InfinityConfig, rows: number, tokens: number): Work {
  const all = rows * tokens;
  return { operations: { fp32: product(all, width, 2 * bits) }, bytes: FLOAT * all * (width + 2 * bits) };
}

/** Logits of all rows are read, a byte for each bit of each image is written. */
export function samplingWork({ bits }: InfinityConfig, rows: number, images: number, tokens: number): Work {
  return { operations: {}, bytes: FLOAT * rows * tokens * 2 * bits + images * tokens * bits };
}

/** A scale's bits are added to the sum of all codes, `summed` numbers, which is read and written. */
export function codesWork(summed: number): Work {
  return { operations: {}, bytes: 2 * FLOAT * summed };
}

/** What one text of `tokens` tokens means: pooled to a vector, its modulations, and keys and values for every layer. */
export function conditioningWork(config: InfinityConfig, type: WeightType, tokens: number): Work {
  const weights = conditioningWeights(type);
  const { width: C, depth, textChannels } = config;
  // Keys and values of every layer, and the two-layer MLP before them.
  const large = C * textChannels + C * C + depth * 2 * C * C;
  // The pooling's keys and values, also such a matrix; what else it has works on one vector.
  const pooling = 2 * C * textChannels;
  const vectors = C * C + 8 * C * C;
  const pooled = 2 * product(1, C, tokens);
  const big = { [weights]: product(tokens, large + pooling, 1) };
  const small = product(1, vectors, 1) + pooled;
  return {
    operations: { ...big, fp32: (big.fp32 ?? 0) + small },
    bytes: WEIGHT_BYTES[weights] * (large + pooling) + FLOAT * vectors,
  };
}

/** What happens to the cache after a scale. */
export function cacheWork(config: InfinityConfig, plan: Plan, rows: number, scale: number, storage: StorageType): Work {
  const fresh = plan.fresh[scale] ?? 0;
  const evictions = plan.evictions[scale] ?? [];
  const heads = plan.headwise ? 1 : config.heads;
  const slot = { rows, fresh, heads, dim: config.width / config.heads, storage };
  let [operations, bytes] = [0, 0];
  for (const [i, eviction] of evictions.entries()) {
    const tokens = { past: plan.lengths[scale - 1]?.[i] ?? 0, kept: plan.lengths[scale]![i]! };
    const work = evictionWork(eviction, { ...slot, ...tokens });
    operations += work.operations;
    bytes += work.bytes;
  }
  return { operations: operations > 0 ? { fp32: operations } : {}, bytes };
}

interface SlotTask {
  readonly rows: number;
  readonly heads: number;
  readonly dim: number;
  readonly storage: StorageType;
  readonly past: number;
  readonly fresh: number;
  readonly kept: number;
}

/** float32 tokens that stay as they came are written in place by the layer; what is chosen is read and written. */
function evictionWork(eviction: Eviction, task: SlotTask): { operations: number; bytes: number } {
  const { rows, heads, dim, storage, past, fresh, kept } = task;
  const stored = rows * bytesPerToken(storage, heads, dim);
  const came = rows * bytesPerToken("fp32", heads, dim);
  if (eviction.kind === "none") return { operations: 0, bytes: storage === "fp32" ? 0 : fresh * (came + stored) };
  const moved = 2 * kept * stored;
  if (eviction.kind === "fixed") return { operations: 0, bytes: moved };
  // To be judged, the keys (half of a token) are read.
  const judged = (past * stored + fresh * came) / 2;
  return { operations: product(rows * eviction.observers.length, heads * dim, past + fresh), bytes: moved + judged };
}
