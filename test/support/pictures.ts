/** Pictures made by whole-number arithmetic, the same here and in `test/reference/pictures.py`. */
import sharp from "sharp";
import type { RgbImage } from "../../src/metrics/image.js";

/** A level from its place. */
export type Level = (x: number, y: number, colour: number) => number;

/** Writes a picture down level by level; levels beyond 0 and 255 become those. */
export function picture(width: number, height: number, level: Level): RgbImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return Math.min(255, Math.max(0, level(pixel % width, Math.floor(pixel / width), i % 3)));
  });
  return { width, height, data };
}

/** A picture file's levels. */
export async function readPicture(file: string): Promise<RgbImage> {
  const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

/** A picture of one grey. */
export function flat(width: number, height: number, level: number): RgbImage {
  return picture(width, height, () => level);
}

/** 0 to 31, unlike its neighbours; another salt is the grain of another place. */
export function grain(x: number, y: number, colour: number, salt: number): number {
  return ((((x + 97 * salt) * 73856093) ^ (y * 19349663) ^ (colour * 83492791)) >>> 8) & 31;
}

/** Slopes and folds with a little grain: something like a photograph. */
export function scene(x: number, y: number, colour: number): number {
  const folds = 2 * Math.abs(((x * (3 + colour) + 5 * y) % 128) - 64);
  const slopes = Math.abs(((y * (7 - colour) + 2 * x) % 100) - 50);
  return folds + slopes + grain(x, y, colour, 0);
}

/** Pairs by name: the levels of the first picture and of the second, for a size, without which there is no rim. */
export const PAIRS: Readonly<Record<string, (width: number, height: number) => readonly [Level, Level]>> = {
  noise: () => [scene, (x, y, c) => scene(x, y, c) + 2 * grain(x, y, c, 1) - 31],
  shift: () => [scene, (x, y, c) => scene(x + 1, y, c)],
  dim: () => [scene, (x, y, c) => scene(x, y, c) >> 1],
  negative: () => [scene, (x, y, c) => 255 - scene(x, y, c)],
  unrelated: () => [scene, (x, y, c) => 8 * grain(x, y, c, 2)],
  "one level": () => [scene, (x, y, c) => scene(x, y, c) + (x === 3 && y === 4 && c === 1 ? 1 : 0)],
  rim: (width, height) => [scene, (x, y, c) => (x % (width - 1) === 0 || y % (height - 1) === 0 ? 0 : scene(x, y, c))],
  "almost white": () => [(x, y, c) => 254 + (grain(x, y, c, 3) & 1), (x, y, c) => 254 + (grain(x, y, c, 4) & 1)],
  "flat greys": () => [() => 40, () => 43],
  "black and white": () => [() => 0, () => 255],
};
