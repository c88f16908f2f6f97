import { expect, it } from "vitest";
import { contendersOf } from "./contenders.js";
import type { Summary } from "./outcomes.js";
import { DECIBELS, FOLLOWED, plotSvg } from "./plot.js";
import { proportion } from "./proportion.js";

const SUMMARY: Summary = {
  ...{ contender: "", images: 1, equal: 0, psnr: 20, psnrError: 0, ssim: 0.5 },
  ...{ cacheBytes: 1, share: 0.1, tokens: 1, seconds: 1 },
};

it("names contenders apart", () => {
  const policies = [{ policy: "scalekv" }, { policy: "scalekv", scoring: "reference" }, { policy: "h2o" }] as const;
  const names = contendersOf(policies, ["10%", "4%"], ["fp32", "int8"]).map(({ name }) => name);
  expect(names.slice(0, 6)).toEqual([
    ...["scalekv-10%", "scalekv-4%", "scalekv-10%-int8", "scalekv-4%-int8"],
    ...["scalekv-reference-10%", "scalekv-reference-4%"],
  ]);
  expect(new Set(names).size).toBe(12);
});

it("draws one line a policy through its budgets, larger shares to the right and more decibels higher", () => {
  const contenders = contendersOf([{ policy: "scalekv" }, { policy: "h2o" }], ["20%", "10%"], ["fp32"]);
  const values = [
    { share: 0.2, psnr: 24 },
    { share: 0.1, psnr: 22 },
    { share: 0.2, psnr: NaN },
    { share: 0.1, psnr: 20 },
  ];
  const svg = plotSvg(
    contenders,
    contenders.map(({ name }, i) => ({ ...SUMMARY, contender: name, ...values[i]! })),
    DECIBELS,
  );
  const lines = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points]) =>
    points!.split(" ").map((point) => point.split(",").map(Number)),
  );
  expect(lines.map((line) => line.length)).toEqual([2, 1]);
  const [[left, right]] = lines as [[[number, number], [number, number]]];
  expect(left[0]).toBeLessThan(right[0]);
  expect(left[1]).toBeGreaterThan(right[1]);
  expect(lines[1]![0]![1]).toBeGreaterThan(left[1]);
  for (const words of ["scalekv", "h2o", "20 dB", "10 %"]) expect(svg).toContain(`>${words}<`);
  expect(svg).not.toContain("NaN");
});

it("is a picture, too, where there is one point or none", () => {
  const contenders = contendersOf([{ policy: "scalekv" }], ["20%"], ["fp32"]);
  for (const psnr of [20, NaN]) {
    const svg = plotSvg(contenders, [{ ...SUMMARY, contender: "scalekv-20%", psnr }], DECIBELS);
    expect(svg).toMatch(/^<svg [^]*<\/svg>\n$/);
    expect(svg).not.toMatch(/NaN|Infinity/);
  }
});

it("draws shares of prompts followed below the full cache's line", () => {
  const contenders = contendersOf([{ policy: "scalekv" }], ["20%"], ["fp32"]);
  const full = proportion(9, 10);
  const following = { ...proportion(5, 10), difference: -0.4, error: 0.3, full };
  const svg = plotSvg(contenders, [{ ...SUMMARY, contender: "scalekv-20%", following }], FOLLOWED);
  const [, point] = /<circle cx="[\d.]+" cy="([\d.]+)"/.exec(svg)!;
  const [, line] = /y1="([\d.]+)" y2="[\d.]+" stroke="#555555"/.exec(svg)!;
  expect(Number(point)).toBeGreaterThan(Number(line));
  for (const words of ["full", "50 %", "90 %"]) expect(svg).toContain(`>${words}<`);
});
