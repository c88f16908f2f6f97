/**
 * Bits, codes and tokens. A position of the VAE's map has d bits; each stands for the code ±1/√d, so that a position's
 * codes form a vector of length 1 (binary spherical quantisation, arXiv 2406.07548). A token of the transformer is one
 * position, or with patchify a patch of 2 × 2 positions with 4·d bits.
 *
 * Bits lie in a byte each, 0 or 1, in one of two layouts: *tokens* [batch, h·w, bits of a token] as they are sampled,
 * and *map* [batch, H, W, d] as the VAE sees them. Without patchify the two are the same.
 */
import { OptionError } from "../../errors.js";
import { zeros, type FeatureMap, type MapSize } from "./feature-map.js";

/** What the bits of a scale belong to. */
export interface BitLayout {
  readonly batch: number;
  /** Bits of one position, d. */
  readonly bits: number;
  /** A token is a patch of 2 × 2 positions. */
  readonly patchify: boolean;
}

/** The VAE's map of a scale that is given in tokens. */
export function mapSize({ height, width }: MapSize, patchify: boolean): MapSize {
  return patchify ? { height: 2 * height, width: 2 * width } : { height, width };
}

/** Bits in the layout of tokens to that of the map; `size` is the map's. Other than its bits are an {@link OptionError}. */
export function tokensToMap(tokens: Uint8Array, layout: BitLayout, size: MapSize): Uint8Array {
  checkBits(tokens, layout, size);
  const order = tokenOrder(layout, size);
  const map = new Uint8Array(tokens.length);
  for (let i = 0; i < tokens.length; i++) {
    const inItem = i % order.length;
    map[i - inItem + order[inItem]!] = tokens[i]!;
  }
  return map;
}

/** The reverse of {@link tokensToMap}. */
export function mapToTokens(map: Uint8Array, layout: BitLayout, size: MapSize): Uint8Array {
  checkBits(map, layout, size);
  const order = tokenOrder(layout, size);
  return map.map((_, i) => map[i - (i % order.length) + order[i % order.length]!]!);
}

/** Features of the map as the transformer takes them: [batch, h·w, bits of a token]. */
export function featuresToTokens(map: FeatureMap, patchify: boolean): Float32Array {
  const { batch, channels: bits, height, width, data } = map;
  const order = tokenOrder({ batch, bits, patchify }, map);
  const positions = height * width;
  const tokens = new Float32Array(data.length);
  for (let i = 0; i < tokens.length; i++) {
    const inItem = i % order.length;
    const place = order[inItem]!;
    const bit = place % bits;
    tokens[i] = data[i - inItem + bit * positions + (place - bit) / bits]!;
  }
  return tokens;
}

/** The codes ±1/√d of bits in the layout of the map. */
export function bitsToCodes(map: Uint8Array, layout: BitLayout, size: MapSize): FeatureMap {
  checkBits(map, layout, size);
  const { batch, bits } = layout;
  const codes = zeros(batch, bits, size);
  const positions = size.height * size.width;
  const one = 1 / Math.sqrt(bits);
  let next = 0;
  for (let item = 0; item < batch; item++) {
    for (let position = 0; position < positions; position++) {
      for (let bit = 0; bit < bits; bit++) {
        codes.data[(item * bits + bit) * positions + position] = map[next++] === 1 ? one : -one;
      }
    }
  }
  return codes;
}

/** The bits of features, in the layout of the map: 1 where a feature is above 0 (its length does not matter). */
export function featuresToBits({ batch, channels, height, width, data }: FeatureMap): Uint8Array {
  const positions = height * width;
  const map = new Uint8Array(data.length);
  let next = 0;
  for (let item = 0; item < batch; item++) {
    for (let position = 0; position < positions; position++) {
      for (let bit = 0; bit < channels; bit++) {
        map[next++] = data[(item * channels + bit) * positions + position]! > 0 ? 1 : 0;
      }
    }
  }
  return map;
}

/**
 * For every bit of an item in the layout of tokens, its index in the layout of the map. Within a token the channel is
 * outermost and the place in the patch innermost, row by row: the order of PyTorch's `pixel_shuffle`.
 */
function tokenOrder({ bits, patchify }: BitLayout, { height, width }: MapSize): Int32Array {
  const side = patchify ? 2 : 1;
  const order = new Int32Array(height * width * bits);
  let next = 0;
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      const corner = top * width + left;
      for (let bit = 0; bit < bits; bit++) {
        for (let place = 0; place < side * side; place++) {
          const position = corner + Math.floor(place / side) * width + (place % side);
          order[next++] = position * bits + bit;
        }
      }
    }
  }
  return order;
}

/** Refuses an array that does not hold exactly the scale's bits, each 0 or 1. */
function checkBits(given: Uint8Array, { batch, bits }: BitLayout, { height, width }: MapSize): void {
  const expected = batch * height * width * bits;
  if (given.length !== expected) {
    throw new OptionError(
      `a ${width}x${height} map of ${bits} bits, batch ${batch}: ${given.length} bits given, not ${expected}`,
    );
  }
  const odd = given.find((bit) => bit > 1);
  if (odd !== undefined) throw new OptionError(`a bit has the value ${odd}: only 0 and 1 are bits`);
}
