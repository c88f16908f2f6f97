/**
 * Schedules: the token maps an image is drawn through. Every ratio has one published list of 13 maps; a size class takes
 * the first 7, 10, 12 or 13 of them. Sizes from `infinity/utils/dynamic_resolution.py` of FoundationVision/Infinity.
 */
import { OptionError } from "../../errors.js";

/** Sizes an image can have, by their published names: about so many pixels whatever the ratio of the sides. */
export const PIXEL_CLASSES = ["0.06M", "0.25M", "0.60M", "1M"] as const;

/** One of {@link PIXEL_CLASSES}: the first 7, 10, 12 or 13 scales of a schedule. */
export type PixelClass = (typeof PIXEL_CLASSES)[number];

/** A size in pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** The map of one scale, in tokens. */
export interface ScaleSize {
  readonly height: number;
  readonly width: number;
}

/** Heights and widths of the 13 maps for every ratio height / width of at least 1. */
const TALL: readonly (readonly [ratio: number, heights: readonly number[], widths: readonly number[]])[] = [
  [1, [1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64], [1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64]],
  [1.25, [1, 2, 3, 5, 10, 15, 20, 25, 30, 35, 45, 55, 70], [1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 36, 44, 56]],
  [1.333, [1, 2, 4, 8, 12, 16, 20, 24, 28, 36, 48, 60, 72], [1, 2, 3, 6, 9, 12, 15, 18, 21, 27, 36, 45, 54]],
  [1.5, [1, 2, 3, 6, 9, 15, 21, 27, 33, 39, 48, 63, 78], [1, 2, 2, 4, 6, 10, 14, 18, 22, 26, 32, 42, 52]],
  [1.75, [1, 2, 3, 7, 11, 14, 21, 28, 35, 42, 56, 70, 84], [1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48]],
  [2, [1, 2, 4, 6, 10, 16, 22, 30, 38, 46, 60, 74, 90], [1, 2, 2, 3, 5, 8, 11, 15, 19, 23, 30, 37, 45]],
  [2.5, [1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 65, 80, 100], [1, 2, 2, 4, 6, 8, 10, 12, 16, 20, 26, 32, 40]],
  [3, [1, 2, 6, 9, 15, 21, 27, 36, 45, 54, 72, 90, 111], [1, 2, 2, 3, 5, 7, 9, 12, 15, 18, 24, 30, 37]],
];

/** Scales of each size class. */
const SCALES: Readonly<Record<PixelClass, number>> = { "0.06M": 7, "0.25M": 10, "0.60M": 12, "1M": 13 };

/** Pixels of the image to one token, along one side, for every published model. */
export const PIXELS_PER_TOKEN = 16;

/** A schedule: its maps, and the map that positions refer to. */
export interface Schedule {
  /** Height / width as the published tables name it, such as 1.333 or 0.571. */
  readonly ratio: number;
  readonly pixels: PixelClass;
  readonly maps: readonly ScaleSize[];
  /** The last map of the `1M` schedule of this ratio, onto which every map's positions are spread. */
  readonly grid: ScaleSize;
}

/** All ratios height / width, inverses named as the published tables do: cut after three decimals, not rounded. */
const RATIOS: ReadonlyMap<number, readonly ScaleSize[]> = new Map(
  TALL.flatMap(([ratio, heights, widths]) => {
    const tall = heights.map((height, k) => ({ height, width: widths[k]! }));
    const wide = tall.map(({ height, width }) => ({ height: width, width: height }));
    return ratio === 1
      ? [[ratio, tall]]
      : [
          [ratio, tall],
          [Math.trunc(1000 / ratio) / 1000, wide],
        ];
  }),
);

/** The published ratios height / width, from 3 (tall) to 0.333 (wide). */
export const TEMPLATE_RATIOS: readonly number[] = [...RATIOS.keys()].sort((a, b) => b - a);

/** The schedule of a size class whose published ratio is nearest to `ratio` (height / width, between 1/8 and 8). */
export function scheduleFor(pixels: PixelClass, ratio = 1): Schedule {
  if (!PIXEL_CLASSES.includes(pixels))
    throw new OptionError(`pixels ${pixels}: not one of ${PIXEL_CLASSES.join(", ")}`);
  if (!(ratio >= 1 / 8 && ratio <= 8))
    throw new OptionError(`ratio ${ratio}: height / width must lie between 0.125 and 8`);
  const distance = (template: number): number => Math.abs(template - ratio);
  const nearest = TEMPLATE_RATIOS.reduce((best, template) => (distance(template) < distance(best) ? template : best));
  const all = RATIOS.get(nearest)!;
  return { ratio: nearest, pixels, maps: all.slice(0, SCALES[pixels]), grid: all.at(-1)! };
}

/**
 * The schedule whose image comes nearest to a wished size: first the ratio, then the number of pixels. `pixelsPerToken`
 * is that of the model.
 */
export function scheduleForSize({ width, height }: ImageSize, pixelsPerToken = PIXELS_PER_TOKEN): Schedule {
  for (const [name, value] of [
    ["width", width],
    ["height", height],
  ] as const) {
    if (!(Number.isInteger(value) && value >= 64 && value <= 4096)) {
      throw new OptionError(`size ${width}x${height}: the ${name} must be a whole number from 64 to 4096 pixels`);
    }
  }
  const distance = (schedule: Schedule): number => {
    const drawn = imageSize(schedule, pixelsPerToken);
    return Math.abs(Math.log((drawn.width * drawn.height) / (width * height)));
  };
  const schedules = PIXEL_CLASSES.map((pixels) => scheduleFor(pixels, height / width));
  return schedules.reduce((best, schedule) => (distance(schedule) < distance(best) ? schedule : best));
}

/** Size of the image a schedule draws with a model of so many pixels to a token. */
export function imageSize({ maps }: Schedule, pixelsPerToken = PIXELS_PER_TOKEN): ImageSize {
  const last = maps.at(-1)!;
  return { width: last.width * pixelsPerToken, height: last.height * pixelsPerToken };
}

/** Tokens of one map. */
export function mapTokens({ height, width }: ScaleSize): number {
  return height * width;
}

/** Tokens of all maps. */
export function totalTokens({ maps }: Schedule): number {
  return maps.reduce((sum, map) => sum + mapTokens(map), 0);
}

/** Tokens that later scales can look back on: all maps but the last. */
export function historyTokens(schedule: Schedule): number {
  return totalTokens(schedule) - mapTokens(schedule.maps.at(-1)!);
}
