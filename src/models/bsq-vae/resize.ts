/**
 * The two resizings of the multi-scale code, as PyTorch's `interpolate` defines them. They act on one map at a time, so
 * its `trilinear` on maps of one frame is the bilinear one here. Weights are computed in double precision, sums are
 * stored as float32.
 */
import { sameSize, zeros, type FeatureMap, type MapSize } from "./feature-map.js";

/** For every place along an axis of the target: its two neighbours in the source and the weight of the second. */
interface Taps {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly weight: Float64Array;
}

/**
 * Half-pixel centres (`align_corners=False`): the source position is (i + ½) · source / target − ½, not below 0, and
 * the second neighbour not beyond the last place.
 */
function linearTaps(source: number, target: number): Taps {
  const low = new Int32Array(target);
  const high = new Int32Array(target);
  const weight = new Float64Array(target);
  for (let i = 0; i < target; i++) {
    const position = Math.max(0, ((i + 0.5) * source) / target - 0.5);
    low[i] = Math.floor(position);
    high[i] = Math.min(low[i]! + 1, source - 1);
    weight[i] = position - low[i]!;
  }
  return { low, high, weight };
}

/** Adds `from`, resized linearly to the size of `to`, to `to`. Batch and channels of both must agree. */
export function addLinear(from: FeatureMap, to: FeatureMap): void {
  const rows = linearTaps(from.height, to.height);
  const columns = linearTaps(from.width, to.width);
  for (let plane = 0; plane < from.batch * from.channels; plane++) {
    for (let y = 0; y < to.height; y++) {
      const upper = (plane * from.height + rows.low[y]!) * from.width;
      const lower = (plane * from.height + rows.high[y]!) * from.width;
      addRow(from.data, upper, lower, rows.weight[y]!, columns, to.data, (plane * to.height + y) * to.width);
    }
  }
}

/** One row of {@link addLinear}: `upper` and `lower` are where the source's two rows begin, `out` the target's. */
function addRow(
  source: Float32Array,
  upper: number,
  lower: number,
  weight: number,
  { low, high, weight: across }: Taps,
  target: Float32Array,
  out: number,
): void {
  for (let x = 0; x < low.length; x++) {
    const left = low[x]!;
    const right = high[x]!;
    const t = across[x]!;
    const above = source[upper + left]! * (1 - t) + source[upper + right]! * t;
    const below = source[lower + left]! * (1 - t) + source[lower + right]! * t;
    target[out + x]! += above * (1 - weight) + below * weight;
  }
}

/** A copy in another size, linear in both directions also where it shrinks (nothing is averaged then). */
export function resizeLinear(map: FeatureMap, size: MapSize): FeatureMap {
  const resized = zeros(map.batch, map.channels, size);
  addLinear(map, resized);
  return resized;
}

/**
 * A copy in another size, every place the mean of its share of the source (`area`, adaptive average pooling): place i
 * of n covers the source from ⌊i · length / n⌋ to ⌈(i + 1) · length / n⌉. The map itself where the size is its own.
 */
export function resizeArea(map: FeatureMap, size: MapSize): FeatureMap {
  if (sameSize(map, size)) return map;
  const resized = zeros(map.batch, map.channels, size);
  let out = 0;
  for (let plane = 0; plane < map.batch * map.channels; plane++) {
    const data = map.data.subarray(plane * map.height * map.width, (plane + 1) * map.height * map.width);
    for (let y = 0; y < size.height; y++) {
      const rows = share(y, size.height, map.height);
      for (let x = 0; x < size.width; x++) {
        resized.data[out++] = mean(data, map.width, rows, share(x, size.width, map.width));
      }
    }
  }
  return resized;
}

type Range = readonly [start: number, end: number];

function share(i: number, places: number, length: number): Range {
  return [Math.floor((i * length) / places), Math.ceil(((i + 1) * length) / places)];
}

function mean(plane: Float32Array, width: number, [top, bottom]: Range, [left, right]: Range): number {
  let sum = 0;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) sum += plane[y * width + x]!;
  }
  return sum / ((bottom - top) * (right - left));
}
