import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sum } from "../../test/support/arrays.js";
import { pairOf } from "../../test/support/picture-arbitraries.js";
import { flat, picture } from "../../test/support/pictures.js";
import { resizeTo } from "./bicubic.js";
import type { RgbImage } from "./image.js";

/** Keys' cubic, a = −½. */
function cubic(x: number): number {
  const far = Math.abs(x);
  if (far < 1) return 1.5 * far ** 3 - 2.5 * far ** 2 + 1;
  return far < 2 ? -0.5 * far ** 3 + 2.5 * far ** 2 - 4 * far + 2 : 0;
}

/** The filter's weight of every source place for a target place, those outside the picture left out. */
function weights(source: number, target: number, place: number): number[] {
  const step = source / target;
  const raw = Array.from({ length: source }, (_, i) => cubic((i + 0.5 - (place + 0.5) * step) / Math.max(step, 1)));
  return raw.map((weight) => weight / sum(source, (i) => raw[i]!));
}

/** The definition, all places of the source in one sum. */
function oracle({ width, height, data }: RgbImage, side: number, x: number, y: number, colour: number): number {
  const [across, down] = [weights(width, side, x), weights(height, side, y)];
  const level = sum(height, (row) =>
    sum(width, (column) => down[row]! * across[column]! * data[(row * width + column) * 3 + colour]!),
  );
  return Math.min(255, Math.max(0, level));
}

function resized(image: RgbImage, side: number): Float32Array {
  const planes = new Float32Array(3 * side * side);
  resizeTo(image, side, planes);
  return planes;
}

describe("resizeTo", () => {
  it("is the bicubic filter, widened where the picture shrinks", () => {
    fc.assert(
      fc.property(pairOf(1, 12), fc.integer({ min: 1, max: 14 }), ([image], side) => {
        resized(image, side).forEach((level, i) => {
          const [colour, y, x] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
          // Two passes rounded to float32: 2⁻²⁴ of levels and of what overshoots them.
          expect(Math.abs(level - oracle(image, side, x, y, colour))).toBeLessThan(1e-4);
        });
      }),
      { numRuns: 30 },
    );
  });

  it("leaves a picture of the right size and a flat one as they are", () => {
    const image = picture(9, 9, (x, y, colour) => 20 * x + 3 * y + colour);
    const planes = resized(image, 9);
    expect(image.data.every((level, i) => planes[(i % 3) * 81 + Math.floor(i / 3)] === level)).toBe(true);
    expect(resized(flat(40, 3, 77), 8).every((level) => level === 77)).toBe(true);
  });

  it("cuts what overshoots black and white", () => {
    const edge = resized(
      picture(8, 8, (x) => (x < 4 ? 0 : 255)),
      29,
    );
    expect([Math.min(...edge), Math.max(...edge)]).toEqual([0, 255]);
  });
});
