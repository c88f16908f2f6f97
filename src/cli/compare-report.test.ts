import { describe, expect, it } from "vitest";
import type { RunReport } from "../generate/types.js";
import { comparisonJson, formatComparison, type Comparison, type Likeness } from "./compare-report.js";
import type { WrittenImage } from "./report.js";

const MIB = 2 ** 20;
const MAPS = [
  { height: 1, width: 1 },
  { height: 12, width: 9 },
] as const;

/** A report of a run whose last scale took `seconds` and whose cache held `mib` MiB. */
function report(policy: string, seconds: number, mib: number, budget?: number): RunReport {
  return {
    model: "tiny",
    device: "cpu",
    policy,
    budget,
    images: 1,
    schedule: MAPS,
    tokens: 109,
    stages: [
      { name: "text", seconds: 0.05, cacheBytes: 0, residentBytes: 0 },
      { name: "scale 1", map: MAPS[0], seconds: 0.5, cacheBytes: mib * MIB, residentBytes: 0 },
      { name: "scale 2", map: MAPS[1], seconds, cacheBytes: mib * MIB, residentBytes: 0 },
      { name: "vae", seconds: 0.25, cacheBytes: 0, residentBytes: 0 },
    ],
    storage: "fp32",
    weights: "fp32",
    cache: { peakBytes: mib * MIB, duringBytes: (mib + 1) * MIB, fullBytes: 40 * MIB, publishedBytes: 30 * MIB },
    weightsBytes: 6.25 * MIB,
    workingBytes: 3 * 2 ** 20,
    process: { peakBytes: (100 + mib) * MIB, accountedBytes: 2 ** 30 },
    seconds: seconds + 0.8,
  };
}

function image(file: string): WrittenImage {
  return { file, width: 144, height: 192, prompt: "a fox", seed: 7 };
}

const LIKENESS: Likeness = { file: "fox-compare.png", psnr: 21.5, ssim: 0.875 };

const COMPARISON: Comparison = {
  full: { images: [image("fox-full.png")], report: report("full", 1.5, 40) },
  compressed: { images: [image("fox.png")], report: report("scalekv", 1, 4, 11) },
  likenesses: [LIKENESS],
};

describe("formatComparison", () => {
  it("sets the runs side by side and says how alike the images are", () => {
    expect(formatComparison(COMPARISON)).toBe(
      [
        "tiny on cpu, scalekv (11 tokens a layer) cache in fp32: 1 image, 2 scales, 109 tokens each",
        "beside the full cache, everything else the same",
        "",
        "stage     map  full s  scalekv s  full MiB  scalekv MiB",
        "text             0.05       0.05       0.0          0.0",
        "scale 1   1x1    0.50       0.50      40.0          4.0",
        "scale 2  9x12    1.50       1.00      40.0          4.0",
        "vae              0.25       0.25       0.0          0.0",
        "total            2.30       1.80",
        "",
        "          full  scalekv",
        "cache     40.0      4.0  MiB at most, 10.0 % of the full",
        "          41.0      5.0  MiB with the new tokens of the layer at work",
        "weights    6.3      6.3  MiB in memory at most",
        "working    3.0      3.0  MiB at most, what a layer takes besides",
        "process  140.0    104.0  MiB at most, as the operating system counts",
        "scales    2.00     1.50  seconds, 75.0 % of the full",
        "",
        "full | compressed | difference  PSNR dB    SSIM",
        "fox-compare.png                   21.50  0.8750",
        "",
        "fox.png  144x192, seed 7",
        "fox-full.png  144x192, seed 7",
        "",
        "scalekv ran first: its process peak is its own and its time has what a first run loads; full's peak is that of both.",
        "",
      ].join("\n"),
    );
  });

  it("adds the means of several images", () => {
    const other = { file: "hare-compare.png", psnr: 22.5, ssim: 0.625 };
    const text = formatComparison({ ...COMPARISON, likenesses: [LIKENESS, other] });
    expect(text).toMatch(/\nmean +22\.00 +0\.7500\n/);
  });

  it("calls equal images equal", () => {
    const text = formatComparison({ ...COMPARISON, likenesses: [{ ...LIKENESS, psnr: Infinity, ssim: 1 }] });
    expect(text).toMatch(/\nfox-compare\.png +equal +1\.0000\n/);
  });

  it("leaves the process's row empty where the system tells nothing", () => {
    const silent = { ...COMPARISON.full, report: { ...COMPARISON.full.report, process: undefined } };
    expect(formatComparison({ ...COMPARISON, full: silent })).toMatch(/\nprocess {10}104\.0 {2}MiB/);
  });
});

describe("comparisonJson", () => {
  it("is generate's own report, with the full run and the likeness beside it", () => {
    const { full, compressed } = COMPARISON;
    const other = { file: "hare-compare.png", psnr: 22.5, ssim: 0.625 };
    expect(comparisonJson({ ...COMPARISON, likenesses: [LIKENESS, other] })).toEqual({
      images: compressed.images,
      report: compressed.report,
      full,
      comparison: { psnr: 22, ssim: 0.75, count: 2, images: [LIKENESS, other], order: ["scalekv", "full"] },
    });
  });
});
