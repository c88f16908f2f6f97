/** What the Infinity transformer has to do, by formula; shapes as in `models/infinity`. */
import { bytesOfFine, bytesPerToken, type StorageType } from "../cache/storage.js";
import type { WeightType } from "../graph/model.js";
import { BLOCKS } from "../graph/quantize/blocks.js";
import { conditioningWeights } from "../models/infinity/conditioning.js";
import type { InfinityConfig } from "../models/infinity/config.js";
import type { LAYER_PARTS } from "../models/infinity/layer.js";
import { basisOperations } from "./cache-work.js";
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
  /** Those of them that int8 stores to a second byte, the same mean. */
  readonly fine: number;
  /** Tokens of the text, the mean over the rows. */
  readonly text: number;
  readonly weights: WeightType;
  readonly storage: StorageType;
  /** Cached tokens may stand for several. */
  readonly merging: boolean;
}

/** Part of a layer, as its graph names them. */
export type LayerPart = (typeof LAYER_PARTS)[number];

/** One layer at one scale, by part. Norms, modulation and rotation could be done in passing, so they count for nothing. */
export function layerWork(config: InfinityConfig, task: LayerTask): Record<LayerPart, Work> {
  const { width: C, hidden } = config;
  const { rows, tokens, text, weights } = task;
  const all = rows * tokens;
  const state = FLOAT * all * C;
  const matrices = (elements: number): number => WEIGHT_BYTES[weights] * elements;
  const textBytes = FLOAT * rows * text * 2 * C;
  return {
    // Queries, keys and values of the state, and the state of what was read.
    projections: { operations: { [weights]: product(all, C, 4 * C) }, bytes: matrices(4 * C * C) + 6 * state },
    attention: attentionWork(config, task),
    // The same with the text's keys and values, between two projections of the state.
    text: sum(
      { operations: { [weights]: product(all, C, 2 * C) }, bytes: matrices(2 * C * C) + 4 * state },
      { operations: { fp32: 2 * product(all, C, text) }, bytes: textBytes },
    ),
    mlp: { operations: { [weights]: product(all, C, 2 * hidden) }, bytes: matrices(2 * C * hidden) + 2 * state },
  };
}

/** Scores and what they weigh; in go queries, keys and values, out comes what was read. */
function attentionWork({ width: C, heads }: InfinityConfig, task: LayerTask): Work {
  const { rows, tokens, past, fine, storage, merging } = task;
  const dim = C / heads;
  const all = rows * tokens;
  // Where tokens may stand for several, a channel more for each head brings that to the scores.
  const asked = merging ? C + heads : C;
  const products = product(all, asked, past + tokens) + product(all, C, past + tokens);
  const widening = 2 * basisOperations({ rows, heads, dim, storage }, past);
  const counts = merging ? FLOAT * heads * past : 0;
  const cached = past * bytesPerToken(storage, heads, dim) + fine * bytesOfFine(storage, heads, dim) + counts;
  return { operations: { fp32: products + widening }, bytes: rows * cached + 4 * FLOAT * all * C };
}

function sum(a: Work, b: Work): Work {
  const fp32 = (a.operations.fp32 ?? 0) + (b.operations.fp32 ?? 0);
  return { operations: { ...a.operations, ...b.operations, fp32 }, bytes: a.bytes + b.bytes };
}

/** From codes to the hidden state; the codes of all scales are read to be resized, `summed` numbers for the batch. */
export function embeddingWork({ width, bits }: InfinityConfig, rows: number, tokens: number, summed: number): Work {
  const all = rows * tokens;
  const bytes = FLOAT * (bits * width + summed + all * (bits + width));
  return { operations: { fp32: product(all, bits, width) }, bytes };
}

/** From the hidden state to two logits a bit. */
export function headWork({ width, bits }: InfinityConfig, rows: number, tokens: number): Work {
  const all = rows * tokens;
  const bytes = FLOAT * (width * 2 * bits + all * (width + 2 * bits));
  return { operations: { fp32: product(all, width, 2 * bits) }, bytes };
}

/** Logits of all rows are read, a byte for each bit of each image is written. */
export function samplingWork({ bits }: InfinityConfig, rows: number, images: number, tokens: number): Work {
  return { operations: {}, bytes: FLOAT * rows * tokens * 2 * bits + images * tokens * bits };
}

/** A scale's bits are added to the sum of all codes, `summed` numbers, which is read and written. */
export function codesWork(summed: number): Work {
  return { operations: {}, bytes: 2 * FLOAT * summed };
}

/**
 * What texts of so many tokens mean: each pooled to a vector, its modulations, and keys and values for every layer. Every text
 * passes by itself, but weights may be read for all of them at once.
 */
export function conditioningWork(config: InfinityConfig, type: WeightType, texts: readonly number[]): Work {
  const weights = conditioningWeights(type);
  const { width: C, depth, textChannels } = config;
  // Keys and values of every layer, and the two-layer MLP before them.
  const large = C * textChannels + C * C + depth * 2 * C * C;
  // The pooling's keys and values, also such a matrix; what else it has works on one vector.
  const pooling = 2 * C * textChannels;
  const vectors = C * C + 8 * C * C;
  const all = texts.reduce((sum, tokens) => sum + tokens, 0);
  const big = { [weights]: product(all, large + pooling, 1) };
  const small = texts.length * product(1, vectors, 1) + 2 * product(1, C, all);
  // Features come in; a first token, eight vectors of modulation, keys and values go out.
  const values = all * (textChannels + depth * 2 * C) + texts.length * (1 + 8) * C;
  return {
    operations: { ...big, fp32: (big.fp32 ?? 0) + small },
    bytes: WEIGHT_BYTES[weights] * (large + pooling) + FLOAT * (vectors + values),
  };
}
