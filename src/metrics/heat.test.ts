import { describe, expect, it } from "vitest";
import { heatColours, heatCurve, linearRgb, type Lab } from "./heat.js";

/** Levels to CIELAB, by the inverse formulas and the inverse of sRGB's matrix. */
function toLab([red, green, blue]: readonly number[]): Lab {
  const light = [red, green, blue].map((level) => {
    const encoded = level! / 255;
    return encoded <= 0.04045 ? encoded / 12.92 : ((encoded + 0.055) / 1.055) ** 2.4;
  });
  const height = (weights: readonly number[]): number => {
    const amount = weights.reduce((sum, weight, i) => sum + weight * light[i]!, 0);
    return amount > 216 / 24389 ? Math.cbrt(amount) : (24389 / 27 / 116) * amount + 16 / 116;
  };
  const x = height([0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047]);
  const y = height([0.2126729, 0.7151522, 0.072175]);
  const z = height([0.0193339 / 1.08883, 0.119192 / 1.08883, 0.9503041 / 1.08883]);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function distance(one: Lab, other: Lab): number {
  return Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2]);
}

const levels = heatColours();
const colours = Array.from({ length: 256 }, (_, i) => toLab([...levels.subarray(3 * i, 3 * i + 3)]));

describe("the heat scale", () => {
  it("runs from black to white", () => {
    expect(levels).toHaveLength(256 * 3);
    expect([...levels.subarray(0, 3)]).toEqual([0, 0, 0]);
    expect([...levels.subarray(255 * 3)]).toEqual([255, 255, 255]);
  });

  it("stays inside sRGB", () => {
    const lights = Array.from({ length: 1001 }, (_, i) => linearRgb(heatCurve(i / 1000))).flat();
    // The constants' last digit: white's red is 1.0000001.
    expect(Math.min(...lights)).toBeGreaterThan(-1e-6);
    expect(Math.max(...lights)).toBeLessThan(1 + 1e-6);
  });

  it("has the curve's colours, as near as levels come", () => {
    // Half a level in each colour is up to 0.9 of CIELAB where blue is dark.
    colours.forEach((colour, i) => {
      expect(distance(colour, heatCurve(i / 255))).toBeLessThan(1);
    });
  });

  it("grows lighter with every step", () => {
    for (let i = 1; i < 256; i++) expect(colours[i]![0]).toBeGreaterThan(colours[i - 1]![0]);
  });

  it("moves in equal steps", () => {
    // A step of 15 is 13 long; the speed differs by 8 %, and levels round each end by up to 0.9.
    const steps = Array.from({ length: 17 }, (_, i) => distance(colours[15 * i]!, colours[15 * (i + 1)]!));
    expect(Math.max(...steps) / Math.min(...steps)).toBeLessThan(1.15);
  });
});
