/** The sizes of a BSQ-VAE. */

/** Everything that differs between the published autoencoders; read off the checkpoint's tensors. */
export interface VaeConfig {
  /** Bits of one position of the map, the latent channels. */
  readonly bits: number;
  /** Channels of the first level. */
  readonly base: number;
  /** Channels of each level as multiples of `base`; every level but the last halves the map. */
  readonly multipliers: readonly number[];
  /** Residual blocks in a level of the encoder; the decoder has one more. */
  readonly blocks: number;
  /** Pixels of the image to one position of the map, along one side: 2^(levels − 1). */
  readonly stride: number;
}
