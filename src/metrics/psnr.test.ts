import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flat, picture } from "../../test/support/pictures.js";
import { pairOf } from "../../test/support/picture-arbitraries.js";
import { OptionError } from "../errors.js";
import { psnr } from "./psnr.js";

describe("psnr", () => {
  it("is known where the error is", () => {
    const black = flat(4, 3, 0);
    // An error of the whole range is 0 dB, of a fifth 20·log10(5); in one colour of three it counts a third.
    expect(psnr(black, flat(4, 3, 255))).toBe(0);
    expect(psnr(flat(4, 3, 51), black)).toBeCloseTo(20 * Math.log10(5), 12);
    expect(
      psnr(
        picture(4, 3, (_x, _y, colour) => (colour === 1 ? 255 : 0)),
        black,
      ),
    ).toBeCloseTo(10 * Math.log10(3), 12);
    // One level in one of 100 · 100 · 3 places.
    const single = picture(100, 100, (x, y, colour) => (x === 1 && y === 2 && colour === 0 ? 1 : 0));
    expect(psnr(single, flat(100, 100, 0))).toBeCloseTo(10 * Math.log10(255 ** 2 * 3e4), 10);
  });

  it("is infinite for equal images", () => {
    const same = picture(5, 2, (x, y, colour) => 40 * x + 20 * y + colour);
    expect(psnr(same, { ...same, data: same.data.slice() })).toBe(Infinity);
  });

  it("is symmetric, at least 0, and infinite only for equal images", () => {
    fc.assert(
      fc.property(pairOf(1, 12), ([a, b]) => {
        expect(psnr(a, b)).toBe(psnr(b, a));
        expect(psnr(a, b)).toBeGreaterThanOrEqual(0);
        expect(psnr(a, b) === Infinity).toBe(a.data.every((level, i) => level === b.data[i]));
      }),
    );
  });

  it("refuses what cannot be compared", () => {
    const image = flat(4, 3, 0);
    expect(() => psnr(image, flat(3, 4, 0))).toThrow(
      new OptionError("images of 4x3 and 3x4 cannot be compared: the sizes differ"),
    );
    expect(() => psnr(image, { ...image, data: new Uint8Array(35) })).toThrow(
      new OptionError("an image of 4x3 has 35 levels, not 36"),
    );
    const empty = { width: 0, height: 3, data: new Uint8Array(0) };
    expect(() => psnr(empty, empty)).toThrow(
      new OptionError("an image of 0x3: width and height are whole numbers of at least 1"),
    );
  });
});
