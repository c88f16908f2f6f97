/** Images as levels for people and as planes for the network. */
import { zeros, type FeatureMap, type MapSize } from "./feature-map.js";

/** Images of one size; `data` is [batch, height, width, 3], levels 0 to 255, red first. */
export interface RgbImages extends MapSize {
  readonly batch: number;
  readonly data: Uint8Array;
}

/** Red, green, blue. */
export const COLOURS = 3;

/** One image of a batch as planes [1, 3, height, width]: level / 255 · 2 − 1, from −1 to 1. */
export function toPlanes({ height, width, data }: RgbImages, item: number): FeatureMap {
  const planes = zeros(1, COLOURS, { height, width });
  const pixels = height * width;
  const start = item * pixels * COLOURS;
  for (let i = 0; i < pixels * COLOURS; i++) {
    const colour = i % COLOURS;
    planes.data[colour * pixels + (i - colour) / COLOURS] = (data[start + i]! / 255) * 2 - 1;
  }
  return planes;
}

/**
 * Planes [3, pixels] from −1 to 1 to levels [pixels, 3]: (x + 1) / 2 · 255, cut off and not rounded. Every step is
 * rounded to float32 as in the published code, or levels next to a whole number would differ by one.
 */
export function toLevels(planes: Float32Array, levels: Uint8Array): void {
  const pixels = planes.length / COLOURS;
  for (let i = 0; i < levels.length; i++) {
    const colour = i % COLOURS;
    const x = planes[colour * pixels + (i - colour) / COLOURS]!;
    levels[i] = Math.fround((Math.fround(x + 1) / 2) * 255);
  }
}
