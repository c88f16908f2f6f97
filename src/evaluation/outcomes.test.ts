import { expect, it } from "vitest";
import { parseOutcome, summarize, type Outcome } from "./outcomes.js";

const OUTCOME: Outcome = {
  contender: "scalekv-10%",
  index: 0,
  psnr: 20,
  ssim: 0.5,
  cacheBytes: 100,
  fullBytes: 1000,
  tokens: 650,
  seconds: 2,
};

it("reads a line as it was written, and nothing else", () => {
  expect(parseOutcome(JSON.stringify(OUTCOME))).toEqual(OUTCOME);
  const line = JSON.stringify({ ...OUTCOME, psnr: null });
  expect(parseOutcome(line)).toEqual({ ...OUTCOME, psnr: null });
  for (let end = 0; end < line.length; end++) expect(parseOutcome(line.slice(0, end))).toBeUndefined();
  expect(parseOutcome(JSON.stringify({ ...OUTCOME, index: -1 }))).toBeUndefined();
});

it("takes means by contender, and counts equal images apart from the decibels", () => {
  const others = [
    { ...OUTCOME, index: 1, psnr: 24, ssim: 0.7, seconds: 4 },
    { ...OUTCOME, index: 2, psnr: null, ssim: 1, cacheBytes: 400 },
    { ...OUTCOME, contender: "h2o-10%", psnr: null, ssim: 1 },
  ];
  const [scalekv, h2o] = summarize([OUTCOME, ...others]);
  expect(scalekv).toMatchObject({
    contender: "scalekv-10%",
    images: 3,
    equal: 1,
    psnr: 22,
    cacheBytes: 200,
    share: 0.2,
  });
  expect(scalekv!.ssim).toBeCloseTo(2.2 / 3, 12);
  expect(scalekv!.seconds).toBeCloseTo(8 / 3, 12);
  // Two values 2 from their mean: variance 4, over n − 1 = 1.
  expect(scalekv!.psnrError).toBeCloseTo(1.96 * 2, 12);
  expect(h2o).toMatchObject({ images: 1, equal: 1, ssim: 1 });
  expect(h2o!.psnr).toBeNaN();
});
