/**
 * Maps in strips: a few rows of all channels each, so that a step's working memory is that of a strip. A map is cut once
 * and keeps its cut through all sizes, as rows double and halve with it.
 */
import { discard, float32, type Tensor } from "../../runtime/tensor.js";
import type { FeatureMap } from "./feature-map.js";

/** Copies the rows `top` to `bottom` of a map of one item: [1, channels, bottom − top, width]. */
export function rowsOf({ channels, height, width, data }: FeatureMap, top: number, bottom: number): Tensor {
  const length = (bottom - top) * width;
  const strip = new Float32Array(channels * length);
  for (let channel = 0; channel < channels; channel++) {
    const start = (channel * height + top) * width;
    strip.set(data.subarray(start, start + length), channel * length);
  }
  return float32(strip, [1, channels, bottom - top, width]);
}

/** Copies a strip [1, channels, rows, width] into a map of one item, from row `top` on. */
export function setRows({ channels, height, width, data }: FeatureMap, top: number, strip: Float32Array): void {
  const length = strip.length / channels;
  for (let channel = 0; channel < channels; channel++) {
    data.set(strip.subarray(channel * length, (channel + 1) * length), (channel * height + top) * width);
  }
}

/** A map as its strips, from top to bottom; each is freed by itself, as soon as nothing needs it any more. */
export class StripMap {
  private readonly strips: (Tensor | undefined)[] = [];

  /** Number of strips, freed ones too. */
  get length(): number {
    return this.strips.length;
  }

  /** Appends a strip, [1, channels, rows, width], which is the map's from now on. */
  push(strip: Tensor): void {
    this.strips.push(strip);
  }

  /** A strip by its place; one that was freed is an error of ours. */
  at(place: number): Tensor {
    const strip = this.strips[place];
    if (!strip) throw new RangeError(`strip ${place} of ${this.length} is not there`);
    return strip;
  }

  /** Frees a strip, wherever it lies. */
  free(place: number): void {
    const strip = this.strips[place];
    if (strip) discard(strip);
    this.strips[place] = undefined;
  }

  /** Frees all that are left. */
  dispose(): void {
    for (const place of this.strips.keys()) this.free(place);
  }
}
