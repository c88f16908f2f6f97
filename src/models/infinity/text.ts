/** What the texts of a batch mean to the transformer, gathered into the rows that the layers take. */
import { float32, int64, values, type Tensor } from "../../runtime/tensor.js";
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
  /** [rows, 1, C], the first scale's tokens; drawing consumes them. */
  readonly start: Tensor;
  /** [rows, 6, C]. */
  readonly modulation: Tensor;
  /** [rows, 2, C]. */
  readonly headModulation: Tensor;
  /** For every layer keys and values [rows, text, C], zeros where a text is padded. */
  readonly layers: readonly { readonly k: Tensor; readonly v: Tensor }[];
  /** Where a row's own text begins in these and where it ends, by row and token, [rows, 2]. */
  readonly starts: Tensor;
  readonly ends: Tensor;
  /** [rows, 1, 1, text]: 0 on a row's own tokens, a large negative number on the padding. */
  readonly bias: Tensor;
}

/**
 * Texts are padded to a multiple of this many tokens. Where padding is read, with a bias, a softmax over a multiple of 64
 * adds its zeros in whole vectors, so a row's values are the same to the bit whatever the length of the texts beside it.
 */
const TEXT_BLOCK = 64;

/** e to this power is 0 in float32, and the sum with any score is finite. */
const MASKED = -1e9;

/** Joins texts into rows. */
export function joinTexts({ width, depth }: InfinityConfig, texts: readonly TextCondition[]): TextRows {
  const rows = texts.length;
  const longest = Math.max(...texts.map(({ tokens }) => tokens));
  const length = Math.ceil(longest / TEXT_BLOCK) * TEXT_BLOCK;
  /** What all texts gave under a name, `each` values a row. */
  const stack = (name: string, each: number): Float32Array => {
    const all = new Float32Array(rows * each);
    texts.forEach(({ outputs }, row) => all.set(values(outputs[name]!), row * each));
    return all;
  };
  const bias = new Float32Array(rows * length);
  texts.forEach(({ tokens }, row) => bias.fill(MASKED, row * length + tokens, (row + 1) * length));
  const padded = (name: string): Tensor => float32(stack(name, length * width), [rows, length, width]);
  const edges = (edge: (tokens: number, row: number) => readonly [number, number]): Tensor =>
    int64(
      texts.flatMap(({ tokens }, row) => edge(tokens, row)),
      [rows, 2],
    );
  return {
    rows,
    start: float32(stack("start", width), [rows, 1, width]),
    modulation: float32(stack("modulation", 6 * width), [rows, 6, width]),
    headModulation: float32(stack("head_modulation", 2 * width), [rows, 2, width]),
    layers: Array.from({ length: depth }, (_, i) => ({ k: padded(`text_k.${i}`), v: padded(`text_v.${i}`) })),
    starts: edges((_, row) => [row, 0]),
    ends: edges((tokens, row) => [row + 1, tokens]),
    bias: float32(bias, [rows, 1, 1, length]),
  };
}
