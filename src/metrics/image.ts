/** The image: what every metric takes, and what a picture of a difference is. */
import { OptionError } from "../errors.js";

/** One image; `data` is [height, width, 3], levels 0 to 255, red first. What the pipeline draws is one. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Red, green, blue. */
export const COLOURS = 3;

/** The brightest level. */
export const MAX_LEVEL = 255;

/** Refuses, by an {@link OptionError}, two images of different sizes or one whose levels do not fill its size. */
export function checkPair(a: RgbImage, b: RgbImage): void {
  checkImage(a);
  checkImage(b);
  if (a.width === b.width && a.height === b.height) return;
  throw new OptionError(`images of ${sizeOf(a)} and ${sizeOf(b)} cannot be compared: the sizes differ`);
}

/** Refuses, by an {@link OptionError}, an image without pixels or whose levels are not as many as its size asks for. */
export function checkImage(image: RgbImage): void {
  const { width, height, data } = image;
  const whole = Number.isInteger(width) && Number.isInteger(height);
  if (!whole || width < 1 || height < 1) {
    throw new OptionError(`an image of ${sizeOf(image)}: width and height are whole numbers of at least 1`);
  }
  const levels = width * height * COLOURS;
  if (data.length !== levels) {
    throw new OptionError(`an image of ${sizeOf(image)} has ${data.length} levels, not ${levels}`);
  }
}

/** For messages: `640x480`, width first. */
export function sizeOf({ width, height }: RgbImage): string {
  return `${width}x${height}`;
}
