/** Feature maps on the host: what lies between the scales, before the decoder and after the encoder. */

/** Height and width of a map, in positions of the VAE or in tokens. */
export interface MapSize {
  readonly height: number;
  readonly width: number;
}

/** Planar maps; `data` is [batch, channels, height, width]. */
export interface FeatureMap extends MapSize {
  readonly batch: number;
  readonly channels: number;
  readonly data: Float32Array;
}

/** A map of zeros. */
export function zeros(batch: number, channels: number, { height, width }: MapSize): FeatureMap {
  return { batch, channels, height, width, data: new Float32Array(batch * channels * height * width) };
}

/** One item of the batch, as a view of the same memory. */
export function itemOf(map: FeatureMap, item: number): FeatureMap {
  const length = map.channels * map.height * map.width;
  return { ...map, batch: 1, data: map.data.subarray(item * length, (item + 1) * length) };
}

/** True where both have the same height and width. */
export function sameSize(a: MapSize, b: MapSize): boolean {
  return a.height === b.height && a.width === b.width;
}
