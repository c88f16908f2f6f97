/** Pictures that show where two images differ. */
import { OptionError } from "../errors.js";
import { heatColours } from "./heat.js";
import { checkImage, checkPair, COLOURS, MAX_LEVEL, type RgbImage } from "./image.js";

/**
 * How a difference is painted.
 *
 * - `heat`: the largest difference among a pixel's three levels, on the scale of {@link heatColours}.
 * - `rgb`: the difference of each colour as that colour.
 */
export type DifferenceColours = "heat" | "rgb";

/** How a difference picture is made. */
export interface DifferenceOptions {
  /** Levels of the picture per level of difference, above 0: 255 / `gain` and more is at its brightest. Default 4. */
  readonly gain?: number | undefined;
  /** Default `heat`. */
  readonly colours?: DifferenceColours | undefined;
}

/** Shows a difference of 64 levels and more as white, and one of 1 as just not black. */
export const DEFAULT_GAIN = 4;

/** Pixels of white between images side by side. */
const GAP = 8;

/**
 * The absolute difference of two images, `gain` times as strong; black where they are equal. Symmetric.
 * Errors: `OptionError` for images of different sizes or a gain that is no number above 0.
 */
export function differencePicture(a: RgbImage, b: RgbImage, options: DifferenceOptions = {}): RgbImage {
  checkPair(a, b);
  const { gain = DEFAULT_GAIN, colours = "heat" } = options;
  if (!(gain > 0 && gain < Infinity)) {
    throw new OptionError(`gain ${gain} of a difference picture is not a number above 0`);
  }
  const data = amplified(a, b, gain);
  if (colours === "heat") paintHeat(data);
  return { width: a.width, height: a.height, data };
}

/** min(255, gain · |a − b|) of every level. */
function amplified(a: RgbImage, b: RgbImage, gain: number): Uint8Array {
  // All that the differences of levels can become.
  const levels = Uint8Array.from({ length: MAX_LEVEL + 1 }, (_, difference) =>
    Math.round(Math.min(MAX_LEVEL, gain * difference)),
  );
  return a.data.map((level, i) => levels[Math.abs(level - b.data[i]!)]!);
}

/** Gives each pixel the colour that its largest level has on the heat scale. */
function paintHeat(data: Uint8Array): void {
  const scale = heatColours();
  for (let i = 0; i < data.length; i += COLOURS) {
    const place = Math.max(data[i]!, data[i + 1]!, data[i + 2]!) * COLOURS;
    for (let colour = 0; colour < COLOURS; colour++) data[i + colour] = scale[place + colour]!;
  }
}

/**
 * Images of one height from left to right, `gap` columns of white between them.
 * Errors: `OptionError` for no image, different heights, or a gap that is no whole number of at least 0.
 */
export function sideBySide(images: readonly RgbImage[], gap: number = GAP): RgbImage {
  const [first] = images;
  if (!first) throw new OptionError("0 images side by side: at least 1 is needed");
  if (!Number.isInteger(gap) || gap < 0) throw new OptionError(`gap ${gap} is not a whole number of at least 0`);
  images.forEach(checkImage);
  const other = images.find(({ height }) => height !== first.height);
  if (other) {
    throw new OptionError(
      `images ${first.height} and ${other.height} pixels high cannot stand side by side: the heights differ`,
    );
  }
  const width = images.reduce((sum, image) => sum + image.width, gap * (images.length - 1));
  const sheet = { width, height: first.height, data: new Uint8Array(width * first.height * COLOURS).fill(MAX_LEVEL) };
  let left = 0;
  for (const image of images) {
    paste(image, sheet, left);
    left += image.width + gap;
  }
  return sheet;
}

/** Copies an image into a sheet of the same height, its left edge at column `left`. */
function paste(image: RgbImage, sheet: RgbImage, left: number): void {
  const length = image.width * COLOURS;
  for (let y = 0; y < image.height; y++) {
    sheet.data.set(image.data.subarray(y * length, (y + 1) * length), (y * sheet.width + left) * COLOURS);
  }
}

/** What `generate --compare` writes: full | compressed | their difference. Errors as {@link differencePicture}. */
export function comparisonPicture(full: RgbImage, compressed: RgbImage, options: DifferenceOptions = {}): RgbImage {
  return sideBySide([full, compressed, differencePicture(full, compressed, options)]);
}
