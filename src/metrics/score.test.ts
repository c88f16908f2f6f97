import { describe, expect, it } from "vitest";
import { picture } from "../../test/support/pictures.js";
import { OptionError } from "../errors.js";
import type { RgbImage } from "./image.js";
import type { PicturePair } from "./pairs.js";
import { psnr } from "./psnr.js";
import { Scorer, type Metric } from "./score.js";
import { ssim } from "./ssim.js";

const A = picture(12, 9, (x, y, colour) => 15 * x + 9 * y + colour);
const B = picture(12, 9, (x, y) => 15 * x + 9 * y + ((x * y) % 7));
const C = picture(12, 9, (x, y) => 8 * ((x * y) % 31));

function pair(a: RgbImage, b: RgbImage): PicturePair {
  return { name: "1", a: "a/1.png", b: "b/1.png", pictures: { a, b } };
}

async function scorer(...metrics: Metric[]): Promise<Scorer> {
  return Scorer.load({ device: "cpu", metrics });
}

describe("Scorer", () => {
  it("means every pair's values, and counts equal pairs apart from the mean of PSNR", async () => {
    const both = await scorer("psnr", "ssim");
    expect(await both.add(pair(A, B))).toEqual({ name: "1", psnr: psnr(A, B), ssim: ssim(A, B) });
    expect(await both.add(pair(B, B))).toEqual({ name: "1", psnr: Infinity, ssim: 1 });
    await both.add(pair(A, C));
    expect(await both.scores()).toEqual({
      psnr: (psnr(A, B) + psnr(A, C)) / 2,
      ssim: (ssim(A, B) + 1 + ssim(A, C)) / 3,
      count: 3,
      equal: 1,
    });
  });

  it("is infinitely many decibels only where all pairs are equal", async () => {
    const only = await scorer("psnr");
    await only.add(pair(A, A));
    expect(await only.scores()).toEqual({ psnr: Infinity, count: 1, equal: 1 });
  });

  it("measures what was asked for and nothing else", async () => {
    const only = await scorer("ssim");
    expect(await only.add(pair(A, B))).toEqual({ name: "1", ssim: ssim(A, B) });
    expect(await only.scores()).toEqual({ ssim: ssim(A, B), count: 1 });
  });

  it("names the file of a pair that cannot be measured, and leaves it out", async () => {
    const only = await scorer("ssim");
    const small = picture(4, 9, () => 0);
    await expect(only.add(pair(A, small))).rejects.toThrow(
      new OptionError("b/1.png: 4x9 pixels, but a/1.png has 12x9; pairs must have equal sizes"),
    );
    await expect(only.add(pair(small, small))).rejects.toThrow(
      new OptionError("a/1.png: SSIM of images of 4x9: each side must have at least 6 pixels"),
    );
    await expect(only.scores()).rejects.toThrow(new OptionError("0 pairs: at least 1 is needed"));
  });

  it("refuses a metric without its network", async () => {
    await expect(scorer("psnr", "lpips")).rejects.toThrow(new OptionError("lpips: no file of its network was given"));
    await expect(scorer("kid")).rejects.toThrow(new OptionError("fid and kid: no file of its network was given"));
  });
});
