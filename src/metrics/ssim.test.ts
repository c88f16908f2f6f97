import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sum } from "../../test/support/arrays.js";
import { pairOf } from "../../test/support/picture-arbitraries.js";
import { flat, picture } from "../../test/support/pictures.js";
import { OptionError } from "../errors.js";
import type { RgbImage } from "./image.js";
import { ssim, type SsimBorder } from "./ssim.js";

/** 1, 0.01 and 0.03 of the range, squared, on level / 255. */
const C1 = 1e-4;
const C2 = 9e-4;

/** Sum of term(x, y) over the 11 × 11 places of a window, weighted by a Gaussian of σ 1.5. */
function weighted(term: (x: number, y: number) => number): number {
  const weight = (x: number, y: number): number => Math.exp(-(x * x + y * y) / 4.5);
  const over = (value: (x: number, y: number) => number): number =>
    sum(11, (row) => sum(11, (column) => value(column - 5, row - 5)));
  return over((x, y) => weight(x, y) * term(x, y)) / over(weight);
}

/** The definition, window by window, with variances as means of squared distances. */
function oracle(a: RgbImage, b: RgbImage, border: SsimBorder): number {
  const margin = border === "crop" ? 5 : 0;
  const mirror = (i: number, length: number): number => Math.min(Math.abs(i), 2 * (length - 1) - Math.abs(i));
  const at = ({ width, height, data }: RgbImage, x: number, y: number, colour: number): number =>
    data[(mirror(y, height) * width + mirror(x, width)) * 3 + colour]! / 255;
  const value = (left: number, top: number, colour: number): number => {
    const first = (x: number, y: number): number => at(a, left + x, top + y, colour);
    const second = (x: number, y: number): number => at(b, left + x, top + y, colour);
    const [meanA, meanB] = [weighted(first), weighted(second)];
    const varianceA = weighted((x, y) => (first(x, y) - meanA) ** 2);
    const varianceB = weighted((x, y) => (second(x, y) - meanB) ** 2);
    const covariance = weighted((x, y) => (first(x, y) - meanA) * (second(x, y) - meanB));
    const luminance = (2 * meanA * meanB + C1) / (meanA ** 2 + meanB ** 2 + C1);
    return (luminance * (2 * covariance + C2)) / (varianceA + varianceB + C2);
  };
  const [columns, rows] = [a.width - 2 * margin, a.height - 2 * margin];
  const total = sum(rows, (y) => sum(columns, (x) => sum(3, (colour) => value(x + margin, y + margin, colour))));
  return total / (rows * columns * 3);
}

describe("ssim", () => {
  it("is what it is defined to be", () => {
    // Sums in another order; a level's variance is known to 2^-52 · 255² of C2 = 58, which is 2.5e-13.
    const close = (a: RgbImage, b: RgbImage, border: SsimBorder): void => {
      expect(Math.abs(ssim(a, b, border) - oracle(a, b, border))).toBeLessThan(1e-11);
    };
    fc.assert(
      fc.property(pairOf(6, 9), ([a, b]) => {
        close(a, b, "reflect");
      }),
      { numRuns: 8 },
    );
    fc.assert(
      fc.property(pairOf(11, 13), ([a, b]) => {
        close(a, b, "crop");
      }),
      { numRuns: 8 },
    );
  });

  it("is known for flat images, whose variances are 0", () => {
    const [dark, light] = [flat(12, 11, 51), flat(12, 11, 204)];
    const expected = (2 * 0.2 * 0.8 + C1) / (0.2 ** 2 + 0.8 ** 2 + C1);
    expect(ssim(dark, light)).toBeCloseTo(expected, 12);
    expect(ssim(dark, light, "crop")).toBeCloseTo(expected, 12);
  });

  it("is symmetric to the bit, exactly 1 for equal images and only then, and never outside −1 to 1", () => {
    fc.assert(
      fc.property(pairOf(6, 14), ([a, b]) => {
        const value = ssim(a, b);
        expect(value).toBe(ssim(b, a));
        expect(value).toBeGreaterThanOrEqual(-1);
        expect(value === 1).toBe(a.data.every((level, i) => level === b.data[i]));
        expect(value).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("sees the border where it is mirrored, and hardly where it is cropped", () => {
    const inner = picture(20, 20, (x, y) => 10 * x + 2 * y);
    const framed = picture(20, 20, (x, y) => (x % 19 === 0 || y % 19 === 0 ? 255 - 10 * x : 10 * x + 2 * y));
    const cornered = picture(20, 20, (x, y) => (x + y === 0 ? 255 : 10 * x + 2 * y));
    expect(ssim(inner, framed)).toBeLessThan(0.9);
    expect(ssim(inner, framed, "crop")).toBeGreaterThan(ssim(inner, framed));
    // The corner's pixel is in the window of (5, 5), the first that counts, with a weight of exp(−50 / 4.5).
    expect(ssim(inner, cornered, "crop")).toBeLessThan(1);
    expect(1 - ssim(inner, cornered, "crop")).toBeLessThan((1 - ssim(inner, cornered)) / 100);
  });

  it("refuses images smaller than its window's reach", () => {
    const small = flat(5, 40, 0);
    expect(() => ssim(small, small)).toThrow(
      new OptionError("SSIM of images of 5x40: each side must have at least 6 pixels"),
    );
    const medium = flat(40, 10, 0);
    expect(ssim(medium, medium)).toBe(1);
    expect(() => ssim(medium, medium, "crop")).toThrow(
      new OptionError("SSIM of images of 40x10: each side must have at least 11 pixels"),
    );
    expect(() => ssim(small, medium)).toThrow(OptionError);
  });
});
