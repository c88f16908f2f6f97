/**
 * A picture brought to the size of a network as clean-fid does it: Pillow's bicubic filter on every colour in float32.
 * Parmar, Zhang and Zhu, "On aliased resizing and surprising subtleties in GAN evaluation" (2022), show how much FID
 * depends on the filter being widened with the step when a picture is made smaller, and on not rounding afterwards.
 */
import { COLOURS, MAX_LEVEL, type RgbImage } from "./image.js";

/** Source places that one target place is made of. */
interface Window {
  readonly first: number;
  /** They sum to 1. */
  readonly weights: Float64Array;
}

/** Keys' cubic with a = −½ is 0 from here on, in source pixels where a picture is made larger. */
const REACH = 2;

/**
 * Levels with fractions, cut to 0…255: planes [3, side, side], red first, written to `out`. Bit by bit what Pillow makes
 * of one float32 channel after the other: sums in double precision, float32 after either pass, the rows first.
 */
export function resizeTo(image: RgbImage, side: number, out: Float32Array): void {
  const { width, height } = image;
  const across = blurRows(image, windowsOf(width, side)); // [height, 3, side]
  const line = COLOURS * side;
  const sums = new Float64Array(line); // [3, side]
  for (const [y, { first, weights }] of windowsOf(height, side).entries()) {
    sums.fill(0);
    weights.forEach((weight, i) => {
      const start = (first + i) * line;
      for (let x = 0; x < line; x++) sums[x]! += weight * across[start + x]!;
    });
    for (let colour = 0; colour < COLOURS; colour++) {
      for (let x = 0; x < side; x++) {
        const level = sums[colour * side + x]!;
        out[(colour * side + y) * side + x] = Math.min(MAX_LEVEL, Math.max(0, level));
      }
    }
  }
}

/** The first pass: every row by itself, [height, 3, side]. */
function blurRows({ width, height, data }: RgbImage, windows: readonly Window[]): Float32Array {
  const side = windows.length;
  const rows = new Float32Array(height * COLOURS * side);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < side; x++) {
      const { first, weights } = windows[x]!;
      let [red, green, blue] = [0, 0, 0];
      let at = (y * width + first) * COLOURS;
      for (let i = 0; i < weights.length; i++, at += COLOURS) {
        const weight = weights[i]!;
        red += weight * data[at]!;
        green += weight * data[at + 1]!;
        blue += weight * data[at + 2]!;
      }
      const place = y * COLOURS * side + x;
      rows[place] = red;
      rows[place + side] = green;
      rows[place + 2 * side] = blue;
    }
  }
  return rows;
}

/** The windows of all target places along one axis, cut off at the picture's ends. */
function windowsOf(source: number, target: number): readonly Window[] {
  const step = source / target;
  const widening = Math.max(step, 1);
  return Array.from({ length: target }, (_, place) => {
    const centre = (place + 0.5) * step;
    const first = Math.max(0, Math.trunc(centre - REACH * widening + 0.5));
    const end = Math.min(source, Math.trunc(centre + REACH * widening + 0.5));
    const heights = Float64Array.from({ length: end - first }, (_, i) =>
      cubic((first + i - centre + 0.5) * (1 / widening)),
    );
    const total = heights.reduce((sum, height) => sum + height, 0);
    return { first, weights: heights.map((height) => height / total) };
  });
}

/** Keys, "Cubic convolution interpolation for digital image processing" (1981), with a = −½. */
function cubic(x: number): number {
  const a = -0.5;
  const far = Math.abs(x);
  if (far < 1) return ((a + 2) * far - (a + 3)) * far * far + 1;
  return far < REACH ? (((far - 5) * far + 8) * far - 4) * a : 0;
}
