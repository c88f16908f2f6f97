/** Random pictures for property tests. */
import fc from "fast-check";
import type { RgbImage } from "../../src/metrics/image.js";

/** Two pictures of one size, one time in five equal; sides have `least` to `most` pixels. */
export function pairOf(least: number, most: number): fc.Arbitrary<[RgbImage, RgbImage]> {
  const side = fc.integer({ min: least, max: most });
  return fc.tuple(side, side).chain(([width, height]) => {
    const length = 3 * width * height;
    const image = fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((data): RgbImage => ({ width, height, data }));
    const equals = image.map((one): [RgbImage, RgbImage] => [one, { ...one, data: one.data.slice() }]);
    return fc.oneof({ weight: 4, arbitrary: fc.tuple(image, image) }, { weight: 1, arbitrary: equals });
  });
}
