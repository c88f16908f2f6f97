/** What the texts of a batch mean to the transformer, gathered into the rows that the layers take. */
import { float32, values, type Tensor } from "../../runtime/tensor.js";
import type { Tensors } from "../../runtime/session.js";
import type { InfinityConfig } from "./config.js";

/** The conditioning graph's outputs for one text, and its length in tokens. */
export interface TextCondition {
  readonly tokens: number;
  readonly outputs: Tensors;
}

/** All rows of a batch: conditional rows first, then the unconditional ones. */
export interface TextRows {
  readonly rows: number;
  /** [rows, 1, C], the first scale's tokens. */
  readonly start: Tensor;
  /** [rows, 6, C]. */
  readonly modulation: Tensor;
  /** [rows, 2, C]. */
  readonly headModulation: Tensor;
  /** For every layer keys [rows, H, dim, text] and values [rows, H, text, dim]. */
  readonly layers: readonly { readonly k: Tensor; readonly v: Tensor }[];
  /** [rows, 1, 1, text]: 0 on a row's own tokens, a large negative number on the padding. */
  readonly bias: Tensor;
}

/**
 * Texts are padded to a multiple of this many tokens. A softmax over a multiple of 64 adds its zeros in whole vectors,
 * so a row's values are the same to the bit whatever the length of the texts beside it.
 */
export const TEXT_BLOCK = 64;

/** e to this power is 0 in float32, and the sum with any score is finite. */
const MASKED = -1e9;

/** Joins texts into rows. */
export function joinTexts(config: InfinityConfig, texts: readonly TextCondition[]): TextRows {
  const { width, heads, depth } = config;
  const dim = width / heads;
  const longest = Math.max(...texts.map(({ tokens }) => tokens));
  const length = Math.ceil(longest / TEXT_BLOCK) * TEXT_BLOCK;
  const rows = texts.length;
  const stack = (name: string, shape: readonly number[]): Tensor =>
    float32(concatenate(texts.map(({ outputs }) => values(outputs[name]!))), [rows, ...shape]);
  const padded = (name: string, blocks: number, inner: number): Float32Array =>
    concatenate(
      texts.map(({ outputs, tokens }) => padBlocks(values(outputs[name]!), blocks, tokens * inner, length * inner)),
    );
  return {
    rows,
    start: stack("start", [1, width]),
    modulation: stack("modulation", [6, width]),
    headModulation: stack("head_modulation", [2, width]),
    layers: Array.from({ length: depth }, (_, layer) => ({
      k: float32(padded(`text_k.${layer}`, width, 1), [rows, heads, dim, length]),
      v: float32(padded(`text_v.${layer}`, heads, dim), [rows, heads, length, dim]),
    })),
    bias: float32(concatenate(texts.map(({ tokens }) => new Float32Array(length).fill(MASKED, tokens))), [
      rows,
      1,
      1,
      length,
    ]),
  };
}

/** Every one of `blocks` runs of `from` values followed by zeros up to `to`. */
function padBlocks(source: Float32Array, blocks: number, from: number, to: number): Float32Array {
  const out = new Float32Array(blocks * to);
  for (let block = 0; block < blocks; block++) {
    out.set(source.subarray(block * from, (block + 1) * from), block * to);
  }
  return out;
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let end = 0;
  for (const part of parts) {
    out.set(part, end);
    end += part.length;
  }
  return out;
}
