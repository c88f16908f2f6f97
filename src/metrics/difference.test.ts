import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pairOf } from "../../test/support/picture-arbitraries.js";
import { flat, picture } from "../../test/support/pictures.js";
import { OptionError } from "../errors.js";
import { comparisonPicture, differencePicture, sideBySide } from "./difference.js";
import { heatColours } from "./heat.js";
import type { RgbImage } from "./image.js";

/** The three levels of a pixel. */
function pixel({ width, data }: RgbImage, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x + 1) * 3)];
}

describe("differencePicture", () => {
  // Differences 0, 1, 2, … along each row, of other sizes in green and of the other sign in blue.
  const a = picture(80, 2, (_x, _y, colour) => [0, 200, 100][colour]!);
  const b = picture(80, 2, (x, _y, colour) => [x, 200 + (x >> 2), 100 - (x >> 1)][colour]!);

  it("multiplies the differences of each colour by the gain and cuts at 255", () => {
    const shown = differencePicture(a, b, { colours: "rgb", gain: 4 });
    expect(pixel(shown, 0, 0)).toEqual([0, 0, 0]);
    expect(pixel(shown, 10, 1)).toEqual([40, 8, 20]);
    expect(pixel(shown, 63, 0)).toEqual([252, 60, 124]);
    expect(pixel(shown, 79, 1)).toEqual([255, 76, 156]);
    // Rounded, not cut off: 0.25 · 63 = 15.75.
    expect(pixel(differencePicture(a, b, { colours: "rgb", gain: 0.25 }), 63, 0)).toEqual([16, 4, 8]);
  });

  it("paints a pixel's largest difference on the heat scale, four times as strong unless told otherwise", () => {
    const scale = heatColours();
    const heat = (place: number): number[] => [...scale.subarray(3 * place, 3 * place + 3)];
    const shown = differencePicture(a, b);
    expect(shown).toMatchObject({ width: 80, height: 2 });
    for (const x of [0, 1, 10, 63]) expect(pixel(shown, x, 1)).toEqual(heat(4 * x));
    expect(pixel(shown, 64, 0)).toEqual([255, 255, 255]);
    expect(pixel(differencePicture(a, b, { gain: 1 }), 64, 0)).toEqual(heat(64));
  });

  it("shows one level of difference as another colour than none", () => {
    expect(pixel(differencePicture(a, b), 0, 0)).toEqual([0, 0, 0]);
    expect(pixel(differencePicture(a, b), 1, 0)).not.toEqual([0, 0, 0]);
  });

  it("is symmetric, black exactly where the images are equal, and leaves them as they are", () => {
    fc.assert(
      fc.property(pairOf(1, 8), fc.constantFrom("heat", "rgb"), ([first, second], colours) => {
        const before = first.data.slice();
        const shown = differencePicture(first, second, { colours });
        expect(shown).toEqual(differencePicture(second, first, { colours }));
        expect(first.data).toEqual(before);
        for (let y = 0; y < first.height; y++) {
          for (let x = 0; x < first.width; x++) {
            const same = pixel(first, x, y).join() === pixel(second, x, y).join();
            expect(pixel(shown, x, y).every((level) => level === 0)).toBe(same);
          }
        }
      }),
    );
  });

  it.each([0, -1, NaN, Infinity])("refuses a gain of %s", (gain) => {
    expect(() => differencePicture(a, b, { gain })).toThrow(
      new OptionError(`gain ${gain} of a difference picture is not a number above 0`),
    );
  });

  it("refuses images of different sizes", () => {
    expect(() => differencePicture(a, flat(2, 80, 0))).toThrow(OptionError);
  });
});

describe("sideBySide", () => {
  const red = picture(2, 2, (_x, _y, colour) => (colour === 0 ? 200 : 0));
  const steps = picture(1, 2, (_x, y) => 10 * (y + 1));

  it("puts images of any width from left to right with white between", () => {
    const sheet = sideBySide([red, steps, red], 1);
    expect(sheet).toMatchObject({ width: 7, height: 2 });
    const [r, w] = [
      [200, 0, 0],
      [255, 255, 255],
    ];
    const row = (y: number): number[][] => Array.from({ length: 7 }, (_, x) => pixel(sheet, x, y));
    expect(row(0)).toEqual([r, r, w, [10, 10, 10], w, r, r]);
    expect(row(1)).toEqual([r, r, w, [20, 20, 20], w, r, r]);
  });

  it("copies a single image", () => {
    const sheet = sideBySide([steps]);
    expect(sheet).toEqual(steps);
    expect(sheet.data).not.toBe(steps.data);
  });

  it("refuses no images, other heights and broken gaps", () => {
    expect(() => sideBySide([])).toThrow(new OptionError("0 images side by side: at least 1 is needed"));
    expect(() => sideBySide([red, flat(2, 3, 0)])).toThrow(
      new OptionError("images 2 and 3 pixels high cannot stand side by side: the heights differ"),
    );
    for (const gap of [-1, 0.5, NaN]) {
      expect(() => sideBySide([red], gap)).toThrow(new OptionError(`gap ${gap} is not a whole number of at least 0`));
    }
  });
});

describe("comparisonPicture", () => {
  it("shows both images and their difference", () => {
    const full = picture(3, 2, (x, y, colour) => 20 * x + 5 * y + colour);
    const compressed = picture(3, 2, (x, y, colour) => 21 * x + 5 * y + colour);
    const options = { gain: 7, colours: "rgb" } as const;
    const shown = comparisonPicture(full, compressed, options);
    expect(shown).toEqual(sideBySide([full, compressed, differencePicture(full, compressed, options)]));
    expect(shown.width).toBe(3 * 3 + 2 * 8);
  });
});
