import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../errors.js";
import {
  historyTokens,
  imageSize,
  mapTokens,
  PIXEL_CLASSES,
  scheduleFor,
  scheduleForSize,
  TEMPLATE_RATIOS,
  totalTokens,
  type PixelClass,
} from "./schedule.js";

const SCALES: Readonly<Record<PixelClass, number>> = { "0.06M": 7, "0.25M": 10, "0.60M": 12, "1M": 13 };

/** Height × width in pixels and tokens of all scales, as published for every ratio of at least 1 and every size class. */
const PUBLISHED: readonly { readonly ratio: number; readonly classes: readonly string[] }[] = [
  { ratio: 1, classes: ["256x256 521", "512x512 2521", "768x768 6425", "1024x1024 10521"] },
  { ratio: 1.25, classes: ["320x256 614", "560x448 2814", "880x704 6854", "1120x896 10774"] },
  { ratio: 1.333, classes: ["320x240 665", "576x432 2657", "960x720 7085", "1152x864 10973"] },
  { ratio: 1.5, classes: ["336x224 533", "624x416 2759", "1008x672 6941", "1248x832 10997"] },
  { ratio: 1.75, classes: ["336x192 472", "672x384 2628", "1120x640 7220", "1344x768 11252"] },
  { ratio: 2, classes: ["352x176 451", "736x368 2681", "1184x592 7219", "1440x720 11269"] },
  { ratio: 2.5, classes: ["400x160 555", "800x320 2555", "1280x512 6805", "1600x640 10805"] },
  { ratio: 3, classes: ["432x144 509", "864x288 2588", "1440x480 7016", "1776x592 11123"] },
];

/** The published names of the wide ratios, cut after three decimals. */
const INVERSES = new Map([
  [1.25, 0.8],
  [1.333, 0.75],
  [1.5, 0.666],
  [1.75, 0.571],
  [2, 0.5],
  [2.5, 0.4],
  [3, 0.333],
]);

describe("scheduleFor", () => {
  it("knows the published ratios, from tall to wide", () => {
    const tall = PUBLISHED.map(({ ratio }) => ratio);
    expect(TEMPLATE_RATIOS).toEqual([...tall, ...INVERSES.values()].sort((a, b) => b - a));
  });

  it.each(PUBLISHED)(
    "has the published maps at ratio $ratio and, on its side, at the inverse",
    ({ ratio, classes }) => {
      const found = PIXEL_CLASSES.map((pixels) => {
        const tall = scheduleFor(pixels, ratio);
        const wide = scheduleFor(pixels, INVERSES.get(ratio) ?? 1);
        expect(wide.maps).toEqual(tall.maps.map(({ height, width }) => ({ height: width, width: height })));
        const { height, width } = imageSize(tall);
        return `${height}x${width} ${totalTokens(tall)}`;
      });
      expect(found).toEqual(classes);
    },
  );

  it("begins with one token, never shrinks, and refers positions to the last map of 1M", () => {
    for (const ratio of TEMPLATE_RATIOS) {
      const { maps: all } = scheduleFor("1M", ratio);
      expect(all[0]).toEqual({ height: 1, width: 1 });
      all.slice(1).forEach((map, i) => {
        expect(map.height).toBeGreaterThanOrEqual(all[i]!.height);
        expect(map.width).toBeGreaterThanOrEqual(all[i]!.width);
        expect(mapTokens(map)).toBeGreaterThan(mapTokens(all[i]!));
      });
      for (const pixels of PIXEL_CLASSES) {
        const schedule = { ratio, pixels, maps: all.slice(0, SCALES[pixels]), grid: all[12] };
        expect(scheduleFor(pixels, ratio)).toEqual(schedule);
      }
    }
  });

  it("has 10,521 tokens at 1:1 and 1M, 6,425 of them before the last scale", () => {
    const schedule = scheduleFor("1M");
    expect(schedule.maps.map(({ height }) => height)).toEqual([1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64]);
    expect(schedule.maps.map(mapTokens)).toEqual(schedule.maps.map(({ height }) => height ** 2));
    expect({ total: totalTokens(schedule), history: historyTokens(schedule) }).toEqual({
      total: 10_521,
      history: 6425,
    });
  });

  // All maps at 1:1 are squares: 1 + 4 + 16 + 36 + 64 + 144 (265 tokens) before 256 at 0.06M, and so on.
  it.each<[PixelClass, number, number]>([
    ["0.06M", 265, 521],
    ["0.25M", 1497, 2521],
    ["0.60M", 4121, 6425],
  ])("counts the tokens of %s at 1:1", (pixels, history, total) => {
    const schedule = scheduleFor(pixels);
    expect([historyTokens(schedule), totalTokens(schedule)]).toEqual([history, total]);
  });

  it("takes the nearest ratio", () => {
    fc.assert(
      fc.property(fc.double({ min: 1 / 8, max: 8, noNaN: true }), (wished) => {
        const found = Math.abs(scheduleFor("0.06M", wished).ratio - wished);
        for (const other of TEMPLATE_RATIOS) expect(found).toBeLessThanOrEqual(Math.abs(other - wished));
      }),
    );
  });

  it.each([0, 0.12, 8.1, -1, NaN])("refuses a ratio of %d", (ratio) => {
    const message = `ratio ${ratio}: height / width must lie between 0.125 and 8`;
    expect(() => scheduleFor("1M", ratio)).toThrow(new OptionError(message));
  });

  it("refuses a size class there is none of", () => {
    const message = "pixels 4K: not one of 0.06M, 0.25M, 0.60M, 1M";
    expect(() => scheduleFor("4K" as PixelClass)).toThrow(new OptionError(message));
  });
});

describe("scheduleForSize", () => {
  it("draws a published size as it is", () => {
    for (const ratio of TEMPLATE_RATIOS) {
      for (const pixels of PIXEL_CLASSES) {
        const schedule = scheduleFor(pixels, ratio);
        expect(scheduleForSize(imageSize(schedule))).toEqual(schedule);
      }
    }
  });

  it("takes the nearest ratio and, of that, the nearest number of pixels", () => {
    const side = fc.integer({ min: 64, max: 512 }).map((units) => units * 8);
    fc.assert(
      fc.property(side, side, (width, height) => {
        fc.pre(height / width >= 1 / 8 && height / width <= 8);
        const found = scheduleForSize({ width, height });
        expect(found.ratio).toBe(scheduleFor("1M", height / width).ratio);
        const distance = (pixels: PixelClass): number => {
          const drawn = imageSize(scheduleFor(pixels, found.ratio));
          return Math.abs(Math.log((drawn.width * drawn.height) / (width * height)));
        };
        for (const other of PIXEL_CLASSES) expect(distance(found.pixels)).toBeLessThanOrEqual(distance(other));
      }),
    );
  });

  it.each([
    [{ width: 63, height: 512 }, "size 63x512: the width must be a whole number from 64 to 4096 pixels"],
    [{ width: 512, height: 4097 }, "size 512x4097: the height must be a whole number from 64 to 4096 pixels"],
    [{ width: 512.5, height: 512 }, "size 512.5x512: the width must be a whole number from 64 to 4096 pixels"],
    [{ width: 4096, height: 64 }, "ratio 0.015625: height / width must lie between 0.125 and 8"],
  ])("refuses %j", (size, message) => {
    expect(() => scheduleForSize(size)).toThrow(new OptionError(message));
  });
});
