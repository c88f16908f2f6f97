/** The two resamplings that scenes are made with, as PyTorch defines them. */
import { RGBA, type Raster } from "./art.js";

/** A square part of a picture, in pixels: left, top, and one past right and bottom. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** One output pixel's window of input pixels along one axis. */
interface Window {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/**
 * Means over windows, [side, side, channels] of another side: `interpolate(mode="area")`, whose windows run from
 * ⌊i · in / out⌋ to ⌈(i + 1) · in / out⌉ and overlap where `out` does not divide `in`.
 */
export function areaMean(raster: Raster, outSide: number, channels: number): Raster {
  if (outSide === raster.side) return raster;
  const whole = { left: 0, top: 0, right: outSide, bottom: outSide };
  return { side: outSide, data: areaMeanIn(whole, raster, outSide, channels) };
}

/** A part of {@link areaMean}'s result: [height of the box, width of the box, channels]. */
export function areaMeanIn(box: Box, { side, data }: Raster, outSide: number, channels: number): Float32Array {
  const windows = Array.from({ length: outSide }, (_, i) => ({
    from: Math.floor((i * side) / outSide),
    to: Math.ceil(((i + 1) * side) / outSide),
  }));
  const out = new Float32Array((box.right - box.left) * (box.bottom - box.top) * channels);
  let at = 0;
  for (const rows of windows.slice(box.top, box.bottom)) {
    for (const columns of windows.slice(box.left, box.right)) {
      for (let channel = 0; channel < channels; channel++)
        out[at++] = windowMean(data, side, channels, rows, columns, channel);
    }
  }
  return out;
}

function windowMean(
  data: Float32Array,
  side: number,
  channels: number,
  rows: Window,
  columns: Window,
  channel: number,
): number {
  let sum = 0;
  for (let y = rows.from; y < rows.to; y++) {
    for (let x = columns.from; x < columns.to; x++) sum += data[(y * side + x) * channels + channel]!;
  }
  return sum / ((rows.to - rows.from) * (columns.to - columns.from));
}

/**
 * The whole pixels of a picture of `side` that a square object can touch, those that its blurred rim does included;
 * centre and size are shares of the side.
 */
export function boxAround(x: number, y: number, size: number, side: number): Box {
  const low = (centre: number): number => Math.max(0, Math.floor((centre - size / 2) * side) - 1);
  const high = (centre: number): number => Math.min(side, Math.ceil((centre + size / 2) * side) + 1);
  return { left: low(x), top: low(y), right: high(x), bottom: high(y) };
}

/**
 * Bilinear values of a sprite that is stretched over a square of `size` around (x, y), read at a pixel's centre:
 * `grid_sample(mode="bilinear", padding_mode="zeros", align_corners=False)`. All but (column, row) are shares of the
 * picture's side. Writes the 4 channels into `out`.
 */
export function sampleSprite(
  sprite: Raster,
  [x, y]: readonly [number, number],
  size: number,
  [column, row, side]: readonly [number, number, number],
  out: Float32Array,
): void {
  const across = ((column + 0.5) / side - x) / size + 0.5;
  const down = ((row + 0.5) / side - y) / size + 0.5;
  const [u, v] = [across * sprite.side - 0.5, down * sprite.side - 0.5];
  const [left, top] = [Math.floor(u), Math.floor(v)];
  const [rightward, downward] = [u - left, v - top];
  out.fill(0);
  addPixel(sprite, left, top, (1 - rightward) * (1 - downward), out);
  addPixel(sprite, left + 1, top, rightward * (1 - downward), out);
  addPixel(sprite, left, top + 1, (1 - rightward) * downward, out);
  addPixel(sprite, left + 1, top + 1, rightward * downward, out);
}

/** Adds a part of a pixel's channels; beyond the rim all are zero. */
function addPixel({ side, data }: Raster, x: number, y: number, weight: number, out: Float32Array): void {
  if (x < 0 || y < 0 || x >= side || y >= side) return;
  const at = (y * side + x) * RGBA;
  for (let channel = 0; channel < RGBA; channel++) out[channel]! += weight * data[at + channel]!;
}
