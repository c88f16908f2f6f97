/**
 * PSNR and SSIM against torchmetrics and scikit-image, by values that `test/reference/metrics.py` recorded.
 *
 * All of them sum the same terms in float64 and differ by rounding: SSIM within 1e-9 (measured: 3e-13); PSNR within
 * 1e-5 dB (measured: 4e-6), as torchmetrics divides by a float32 logarithm of 10.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { RgbImage } from "../../src/metrics/image.js";
import { psnr } from "../../src/metrics/psnr.js";
import { ssim } from "../../src/metrics/ssim.js";
import { GOLDEN } from "../support/golden.js";
import { PAIRS, picture } from "../support/pictures.js";

const Row = z.object({
  pair: z.string(),
  width: z.int(),
  height: z.int(),
  psnr: z.number(),
  ssim: z.number(),
  ssimFloat32: z.number(),
  ssimCropped: z.number(),
});
type Row = z.infer<typeof Row>;

const rows = z.array(Row).parse(JSON.parse(await readFile(join(GOLDEN, "metrics.json"), "utf8")));

function picturesOf({ pair, width, height }: Row): [RgbImage, RgbImage] {
  const make = PAIRS[pair];
  if (!make) throw new RangeError(`no pair is named ${pair}`);
  const [a, b] = make(width, height);
  return [picture(width, height, a), picture(width, height, b)];
}

describe.each(rows)("$pair, $width x $height", (row) => {
  const [a, b] = picturesOf(row);

  it("has torchmetrics' PSNR", () => {
    expect(Math.abs(psnr(a, b) - row.psnr)).toBeLessThan(1e-5);
  });

  it("has torchmetrics' SSIM", () => {
    expect(Math.abs(ssim(a, b) - row.ssim)).toBeLessThan(1e-9);
    // In float32 a variance near white is mostly rounding: torchmetrics is 5e-4 beside its own float64 value there.
    expect(Math.abs(ssim(a, b) - row.ssimFloat32)).toBeLessThan(row.pair === "almost white" ? 1e-3 : 1e-4);
  });

  it("has scikit-image's SSIM where the border is cropped", () => {
    expect(Math.abs(ssim(a, b, "crop") - row.ssimCropped)).toBeLessThan(1e-9);
  });
});

it("covers every pair in every size", () => {
  expect(new Set(rows.map(({ pair }) => pair))).toEqual(new Set(Object.keys(PAIRS)));
  expect(rows).toHaveLength(3 * Object.keys(PAIRS).length);
});
