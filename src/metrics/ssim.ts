/**
 * Structural similarity, after Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
 * structural similarity" (2004), equation 13. Around every pixel and for every colour by itself, with the weights w of
 * a Gaussian window (σ 1.5, 11 × 11, sum 1):
 *
 *     μa = Σ w·a    σa² = Σ w·a² − μa²    σab = Σ w·a·b − μa·μb
 *
 *                (2·μa·μb + C1) · (2·σab + C2)            C1 = (0.01 · range)²
 *     ssim = ───────────────────────────────────────      C2 = (0.03 · range)²
 *            (μa² + μb² + C1) · (σa² + σb² + C2)
 *
 * An image's value is the mean over pixels and colours.
 *
 * Everything in it follows from the sum s = a + b and the difference d = a − b:
 *
 *     2·μa·μb   = (μs² − μd²) / 2     2·σab     = (σs² − σd²) / 2
 *     μa² + μb² = (μs² + μd²) / 2     σa² + σb² = (σs² + σd²) / 2
 *
 * so four maps are blurred (s, d, s², d²) and not five; swapping the images changes no bit; and equal images, where d
 * is 0, give exactly 1. Sums are in double precision. torchmetrics mostly runs in float32, where a variance is a small
 * difference of large numbers: on nearly white images it is 5e-4 beside its own value in float64, which is ours;
 * elsewhere below 1e-4.
 */
import { OptionError } from "../errors.js";
import { checkPair, COLOURS, MAX_LEVEL, sizeOf, type RgbImage } from "./image.js";

/**
 * What is done about windows that reach over the image's border.
 *
 * - `reflect`: the image is mirrored there about its outermost pixels (…, 2, 1, 0, 1, 2, …), and every pixel counts;
 *   torchmetrics since its pull request 2721 (2024).
 * - `crop`: only pixels whose window lies inside count, all but the outermost 5; scikit-image, the authors' program,
 *   and torchmetrics before.
 */
export type SsimBorder = "reflect" | "crop";

const SIGMA = 1.5;

/** ⌊3.5 · σ + ½⌋, which makes the published 11 taps. */
const RADIUS = 5;
const TAPS = 2 * RADIUS + 1;

const C1 = (0.01 * MAX_LEVEL) ** 2;
const C2 = (0.03 * MAX_LEVEL) ** 2;

/** Sum, difference, and the squares of both. */
const MAPS = 4;

/**
 * SSIM of two images, −1 to 1, and 1 only where they are equal: torchmetrics 1.9's `StructuralSimilarityIndexMeasure`
 * (`data_range=1` on level / 255, all else by default), or with `crop` scikit-image's `structural_similarity` with
 * `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`.
 *
 * Symmetric. Errors: `OptionError` for images of different sizes or with a side shorter than 6 (`crop`: 11) pixels.
 */
export function ssim(a: RgbImage, b: RgbImage, border: SsimBorder = "reflect"): number {
  checkPair(a, b);
  checkSides(a, border);
  const margin = border === "crop" ? RADIUS : 0;
  let sum = 0;
  for (let colour = 0; colour < COLOURS; colour++) sum += colourSum(a, b, colour, margin);
  return sum / (COLOURS * (a.width - 2 * margin) * (a.height - 2 * margin));
}

/** A mirror image must not need mirroring again; a crop must leave a pixel. */
function checkSides(image: RgbImage, border: SsimBorder): void {
  const least = border === "crop" ? TAPS : RADIUS + 1;
  if (Math.min(image.width, image.height) >= least) return;
  throw new OptionError(`SSIM of images of ${sizeOf(image)}: each side must have at least ${least} pixels`);
}

/** One colour's sum over the pixels at least `margin` away from the border. */
function colourSum(a: RgbImage, b: RgbImage, colour: number, margin: number): number {
  const { width, height } = a;
  const weights = gaussian();
  // A window's worth of rows, each blurred along itself: row y lies at y modulo 11. [11, maps, width]
  const rows = Array.from({ length: TAPS }, () => new Float64Array(MAPS * width));
  const row = new Float64Array(MAPS * (width + 2 * RADIUS)); // [maps, mirrored width]
  const means = new Float64Array(MAPS * width); // [maps, width]
  let next = 0;
  let sum = 0;
  for (let y = margin; y < height - margin; y++) {
    for (; next <= Math.min(y + RADIUS, height - 1); next++) {
      readRow(a, b, next, colour, row);
      blurAlong(row, weights, rows[next % TAPS]!);
    }
    blurAcross(rows, y, height, weights, means);
    sum += rowSum(means, margin);
  }
  return sum;
}

/** Weights at distances 0 to 5; with both sides they sum to 1. */
function gaussian(): Float64Array {
  const heights = Float64Array.from({ length: RADIUS + 1 }, (_, distance) => Math.exp(-((distance / SIGMA) ** 2) / 2));
  const total = heights.reduce((sum, height, distance) => sum + (distance === 0 ? height : 2 * height), 0);
  return heights.map((height) => height / total);
}

/** Where a place before the first or after the last of a line lies in the mirror. */
function mirrored(place: number, length: number): number {
  if (place < 0) return -place;
  return place < length ? place : 2 * (length - 1) - place;
}

/** The four maps of row `y` of one colour, mirrored at both ends. */
function readRow(a: RgbImage, b: RgbImage, y: number, colour: number, row: Float64Array): void {
  const length = row.length / MAPS;
  for (let i = 0; i < length; i++) {
    const x = mirrored(i - RADIUS, a.width);
    const at = (y * a.width + x) * COLOURS + colour;
    const sum = a.data[at]! + b.data[at]!;
    const difference = a.data[at]! - b.data[at]!;
    row[i] = sum;
    row[length + i] = difference;
    row[2 * length + i] = sum * sum;
    row[3 * length + i] = difference * difference;
  }
}

/** Blurs [maps, width + 10] to [maps, width]. Places at the same distance share their multiplication. */
function blurAlong(row: Float64Array, weights: Float64Array, out: Float64Array): void {
  const width = out.length / MAPS;
  for (let map = 0; map < MAPS; map++) {
    const start = map * (width + 2 * RADIUS) + RADIUS;
    for (let x = 0; x < width; x++) {
      const centre = start + x;
      let sum = weights[0]! * row[centre]!;
      for (let k = 1; k <= RADIUS; k++) sum += weights[k]! * (row[centre - k]! + row[centre + k]!);
      out[map * width + x] = sum;
    }
  }
}

/** Blurs the 11 rows around `y`, each blurred along itself already, to its windows' means: a Gaussian is a product. */
function blurAcross(
  rows: readonly Float64Array[],
  y: number,
  height: number,
  weights: Float64Array,
  means: Float64Array,
): void {
  means.fill(0);
  for (let k = 0; k <= RADIUS; k++) {
    const above = rows[mirrored(y - k, height) % TAPS]!;
    const below = rows[mirrored(y + k, height) % TAPS]!;
    const weight = k === 0 ? weights[0]! / 2 : weights[k]!; // at k = 0 both are row y
    for (let i = 0; i < means.length; i++) means[i]! += weight * (above[i]! + below[i]!);
  }
}

/** One row's sum of SSIM, from its windows' means of s, d, s² and d². */
function rowSum(means: Float64Array, margin: number): number {
  const width = means.length / MAPS;
  let total = 0;
  for (let x = margin; x < width - margin; x++) {
    const meanS = means[x]! ** 2; // μs²
    const meanD = means[width + x]! ** 2; // μd²
    const varianceS = means[2 * width + x]! - meanS;
    const varianceD = means[3 * width + x]! - meanD;
    const luminance = ((meanS - meanD) / 2 + C1) / ((meanS + meanD) / 2 + C1);
    const structure = ((varianceS - varianceD) / 2 + C2) / ((varianceS + varianceD) / 2 + C2);
    total += luminance * structure;
  }
  return total;
}
