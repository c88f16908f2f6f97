import { describe, expect, it } from "vitest";
import type { RunReport } from "../generate/types.js";
import { formatReport } from "./report.js";
import { table } from "./table.js";

const MIB = 2 ** 20;

const REPORT: RunReport = {
  model: "tiny",
  device: "cpu",
  policy: "full",
  images: 1,
  schedule: [
    { height: 1, width: 1 },
    { height: 12, width: 9 },
  ],
  tokens: 109,
  stages: [
    { name: "text", seconds: 0.051, cacheBytes: 0, residentBytes: 100 * MIB },
    { name: "scale 1", map: { height: 1, width: 1 }, seconds: 0.02, cacheBytes: MIB / 2, residentBytes: 120 * MIB },
    { name: "scale 2", map: { height: 12, width: 9 }, seconds: 1.5, cacheBytes: MIB / 2, residentBytes: 1234.5 * MIB },
    { name: "vae", seconds: 0.3, cacheBytes: 0, residentBytes: 110 * MIB },
  ],
  storage: "fp32",
  weights: "fp32",
  cache: { peakBytes: MIB / 2, duringBytes: MIB, fullBytes: 2 * MIB, publishedBytes: 3 * MIB },
  weightsBytes: 6.25 * MIB,
  workingBytes: 3 * 2 ** 20,
  process: { peakBytes: 1300 * MIB, accountedBytes: 2 ** 30 },
  seconds: 1.9,
};

describe("formatReport", () => {
  it("shows every stage, width before height, and the totals", () => {
    const image = { file: "fox.png", width: 144, height: 192, prompt: "a fox", seed: 7 };
    expect(formatReport([image], REPORT)).toBe(
      [
        "tiny on cpu, full cache in fp32: 1 image, 2 scales, 109 tokens each",
        "",
        "stage     map  seconds  cache MiB  resident MiB",
        "text              0.05        0.0         100.0",
        "scale 1   1x1     0.02        0.5         120.0",
        "scale 2  9x12     1.50        0.5        1234.5",
        "vae               0.30        0.0         110.0",
        "total             1.90",
        "",
        "cache       0.5  MiB at most, 25.0 % of the full 2.0",
        "            1.0  MiB with the new tokens of the layer at work",
        "            3.0  MiB the published code would hold without a policy",
        "weights     6.3  MiB in memory at most",
        "working     3.0  MiB at most, what a layer takes beside its weights and the cache",
        "process  1300.0  MiB at most, as the operating system counts",
        "         1024.0  MiB accounted for: before the scales, the cache, and a layer at work",
        "",
        "fox.png  144x192, seed 7",
        "",
      ].join("\n"),
    );
  });

  it("divides by no empty cache", () => {
    const report = { ...REPORT, images: 2, cache: { peakBytes: 0, duringBytes: 0, fullBytes: 0, publishedBytes: 0 } };
    expect(formatReport([], report)).toMatch(/: 2 images, [^]*0\.0 % of the full 0\.0/);
  });
});

describe("table", () => {
  it("pads to the widest cell and leaves no blanks at the end", () => {
    const rows = [["a", "10"], ["bcd", "5"], ["e"]];
    expect(table(rows, ["left", "right"])).toBe("a    10\nbcd   5\ne");
  });
});
