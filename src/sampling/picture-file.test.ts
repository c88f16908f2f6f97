import sharp from "sharp";
import { describe, expect, it } from "vitest";
import type { RgbImage } from "../metrics/image.js";
import { encodePicture, grid } from "./picture-file.js";

/** An image of one colour that differs in every pixel by where it is. */
function image(level: number, width = 2, height = 3): RgbImage {
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => level + i) };
}

/** The red level at a place. */
function red({ width, data }: RgbImage, x: number, y: number): number {
  return data[(y * width + x) * 3]!;
}

describe("grid", () => {
  it("puts images row by row into the squarest grid", () => {
    const whole = grid([0, 50, 100, 150].map((level) => image(level)));
    expect([whole.width, whole.height]).toEqual([4, 6]);
    const corners = [red(whole, 0, 0), red(whole, 2, 0), red(whole, 0, 3), red(whole, 2, 3)];
    expect(corners).toEqual([0, 50, 100, 150]);
    // Last row and column of the second image: its pixel 5 of 0 to 5.
    expect(red(whole, 3, 2)).toBe(50 + 5 * 3);
  });

  it.each([
    [1, 1, 1],
    [2, 2, 1],
    [3, 2, 2],
    [5, 3, 2],
    [9, 3, 3],
  ])("makes of %i images %i columns and %i rows; what is left over is black", (count, columns, rows) => {
    const whole = grid(Array.from({ length: count }, () => image(7)));
    expect([whole.width / 2, whole.height / 3]).toEqual([columns, rows]);
    expect(red(whole, whole.width - 1, whole.height - 1)).toBe(count === columns * rows ? 7 + 15 : 0);
  });

  it("refuses images of different sizes", () => {
    expect(() => grid([image(0), image(0, 3)])).toThrow("images of 2x3 and 3x3 make no grid: the sizes differ");
  });
});

describe("encodePicture", () => {
  it("gives the same bytes for the same images, which are read back as they were", async () => {
    const [first, second] = await Promise.all([encodePicture([image(9)], "a.png"), encodePicture([image(9)], "b.png")]);
    expect(Buffer.compare(first, second)).toBe(0);
    const { data, info } = await sharp(first).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, [...data]]).toEqual([2, 3, [...image(9).data]]);
  });

  it("takes the format from the file's ending", async () => {
    expect((await sharp(await encodePicture([image(9)], "a.jpg")).metadata()).format).toBe("jpeg");
  });
});
