import { expect, it } from "vitest";
import { contendersOf } from "./contenders.js";
import type { Summary } from "./outcomes.js";
import { plotSvg } from "./plot.js";

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
    const svg = plotSvg(contenders, [{ ...SUMMARY, contender: "scalekv-20%", psnr }]);
    expect(svg).toMatch(/^<svg [^]*<\/svg>\n$/);
    expect(svg).not.toMatch(/NaN|Infinity/);
  }
});
