/** The sizes of a T5 encoder, as its `config.json` states them. */

/** Sizes of a T5 encoder with a gated GELU (FLAN-T5 and T5 1.1). */
export interface T5Config {
  /** Width of the hidden state. */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Dimension of one head; heads · headDim need not equal the width. */
  readonly headDim: number;
  /** Width of the gated feed-forward layer. */
  readonly hidden: number;
  readonly vocabulary: number;
  readonly relativeBuckets: number;
  readonly relativeMaxDistance: number;
  readonly epsilon: number;
}

/** Bytes of one layer's weights as float32: four attention matrices, three of the feed-forward layer, two norms. */
export function t5LayerBytes({ width, heads, headDim, hidden }: T5Config): number {
  const elements = 4 * width * heads * headDim + 3 * width * hidden + 2 * width;
  return elements * Float32Array.BYTES_PER_ELEMENT;
}
