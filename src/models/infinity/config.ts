/** The sizes of an Infinity transformer. */

/** Everything that differs between the published sizes; read off the checkpoint's tensors, never assumed. */
export interface InfinityConfig {
  /** Transformer blocks. */
  readonly depth: number;
  /** Width C of the hidden state. */
  readonly width: number;
  /** Self- and cross-attention heads; the head dimension is width / heads. */
  readonly heads: number;
  /** Width of the MLP's hidden layer. */
  readonly hidden: number;
  /** Width of the text encoder's features. */
  readonly textChannels: number;
  /** Rows of the learned unconditional text, the longest text in tokens. */
  readonly textLength: number;
  /** Bits of one token: the VAE's bits, times 4 with patchify. */
  readonly bits: number;
  /** A token is a 2 × 2 patch of the VAE's map. */
  readonly patchify: boolean;
  /** Blocks are stored in this many chunks: `block_chunks.{chunk}.module.{index}`; 1 means `blocks.{index}`. */
  readonly chunks: number;
  /** Rows of the level embedding, the largest number of scales. */
  readonly levels: number;
}

/** Added to the variance in every layer norm and to the mean square in the text norm. */
export const NORM_EPSILON = 1e-6;
