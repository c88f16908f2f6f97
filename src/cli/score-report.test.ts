import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { proportion } from "../evaluation/proportion.js";
import { describeMetric, formatScore, scoreJson, worstFirst, type ScoreReport } from "./score-report.js";

const REPORT: ScoreReport = {
  a: "full",
  b: "small",
  scores: { psnr: 22.5, ssim: 0.8, lpips: 0.1, fid: 2.5311, kid: 0.0012344, count: 3, equal: 1 },
  pairs: [
    { name: "0", psnr: 22, ssim: 0.7, lpips: 0.2 },
    { name: "1", psnr: Infinity, ssim: 1, lpips: 0 },
    { name: "2", psnr: 23, ssim: 0.6, lpips: 0.15 },
  ],
  seconds: 1.25,
};

describe("formatScore", () => {
  it("says what was measured, of how many, and which pairs are the worst", () => {
    expect(formatScore(REPORT, "report.html")).toBe(
      [
        "full | small: 3 pairs in 1.3 s",
        "",
        "PSNR dB     22.50  mean of 2 pairs; 1 equal",
        "SSIM       0.8000",
        "LPIPS      0.1000",
        "FID         2.531",
        "KID      0.001234",
        "",
        "worst first  PSNR dB    SSIM   LPIPS",
        "0              22.00  0.7000  0.2000",
        "2              23.00  0.6000  0.1500",
        "1              equal  1.0000  0.0000",
        "",
        "report.html",
        "",
      ].join("\n"),
    );
  });

  it("says how prompts are followed where that was checked", () => {
    const share = (right: number) => ({ ...proportion(right, 3), unclear: 0 });
    const categories = [{ category: "all", a: share(2), b: share(1) }];
    const following = { categories, difference: -1 / 3, error: 0.5 };
    expect(formatScore({ ...REPORT, following })).toContain(
      [
        "prompts followed  of       A  95 % interval       B  95 % interval  B − A, points",
        "all                3  66.7 %    20.8–93.9 %  33.3 %     6.1–79.2 %   -33.3 ± 50.0",
      ].join("\n"),
    );
    expect(scoreJson({ ...REPORT, following })).toMatchObject({ following });
    expect(scoreJson(REPORT)).not.toHaveProperty("following");
  });

  it("lists no pairs where only the folders were measured", () => {
    const pairs = [{ name: "0" }, { name: "1" }];
    expect(formatScore({ ...REPORT, scores: { fid: 2.5, count: 2 }, pairs })).toBe(
      "full | small: 2 pairs in 1.3 s\n\nFID  2.500\n",
    );
  });

  it("calls it equal where all pairs are", () => {
    const scores = { psnr: Infinity, count: 1, equal: 1 };
    expect(formatScore({ ...REPORT, scores, pairs: [{ name: "0", psnr: Infinity }] })).toContain("\nPSNR dB  equal\n");
    expect(describeMetric("psnr", Infinity)).toBe("PSNR equal");
    expect(describeMetric("psnr", 22.641)).toBe("PSNR 22.64 dB");
  });
});

it("gives JSON the scores under their names, and null for infinitely many decibels", () => {
  expect(scoreJson(REPORT)).toEqual({ ...REPORT.scores, a: "full", b: "small", seconds: 1.25 });
  const equal = scoreJson({ ...REPORT, scores: { psnr: Infinity, count: 1, equal: 1 } });
  expect(JSON.parse(JSON.stringify(equal))).toMatchObject({ psnr: null, equal: 1 });
});

it("puts the least alike first by LPIPS, else SSIM, else PSNR", () => {
  const names = (report: Pick<ScoreReport, "scores" | "pairs">): string =>
    worstFirst(report)
      .map(({ name }) => name)
      .join("");
  const { pairs } = REPORT;
  expect(names(REPORT)).toBe("021");
  expect(names({ pairs, scores: { psnr: 1, ssim: 1, count: 3 } })).toBe("201");
  expect(names({ pairs, scores: { psnr: 1, count: 3 } })).toBe("021");
  expect(names({ pairs, scores: { fid: 1, count: 3 } })).toBe("012");
  const decibels = fc.oneof(fc.double({ min: 0, max: 90, noNaN: true }), fc.constant(Infinity));
  fc.assert(
    fc.property(fc.array(decibels, { minLength: 1 }), (values) => {
      const ordered = worstFirst({
        scores: { psnr: 1, count: values.length },
        pairs: values.map((psnr, i) => ({ name: String(i), psnr })),
      });
      expect(ordered.map(({ psnr }) => psnr)).toEqual(values.toSorted((x, y) => (x === y ? 0 : x - y)));
    }),
  );
});
