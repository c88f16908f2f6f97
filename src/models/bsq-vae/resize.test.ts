import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { zeros, type FeatureMap, type MapSize } from "./feature-map.js";
import { addLinear, resizeArea, resizeLinear } from "./resize.js";

function map(height: number, width: number, values: readonly number[], channels = 1, batch = 1): FeatureMap {
  return { batch, channels, height, width, data: Float32Array.from(values) };
}

function expectNear(found: FeatureMap, expected: readonly number[]): void {
  expect(found.data.length).toBe(expected.length);
  // Both sides are float32 sums of a few values below 100.
  found.data.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i] ?? NaN, 5);
  });
}

const side = fc.integer({ min: 1, max: 9 });
const sizes = fc.record({ height: side, width: side });
const maps = fc
  .tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 3 }), sizes)
  .chain(([batch, channels, size]) => {
    const length = batch * channels * size.height * size.width;
    const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: length, maxLength: length });
    return values.map((list) => map(size.height, size.width, list, channels, batch));
  });

/** Every place of a resized map by a formula of its own; `at` gives a value of the source's plane. */
function eachPlace(
  source: FeatureMap,
  size: MapSize,
  value: (at: (y: number, x: number) => number, y: number, x: number) => number,
): number[] {
  const places: number[] = [];
  for (let plane = 0; plane < source.batch * source.channels; plane++) {
    const at = (y: number, x: number): number => source.data[(plane * source.height + y) * source.width + x] ?? NaN;
    for (let y = 0; y < size.height; y++) for (let x = 0; x < size.width; x++) places.push(value(at, y, x));
  }
  return places;
}

/** Linear interpolation as a sum over the whole source: every value counts by its distance to the clamped position. */
function naiveLinear(source: FeatureMap, size: MapSize): number[] {
  const position = (i: number, from: number, to: number): number =>
    Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
  return eachPlace(source, size, (at, y, x) => {
    const [py, px] = [position(y, source.height, size.height), position(x, source.width, size.width)];
    let sum = 0;
    for (let v = 0; v < source.height; v++) {
      for (let u = 0; u < source.width; u++) {
        sum += at(v, u) * Math.max(0, 1 - Math.abs(v - py)) * Math.max(0, 1 - Math.abs(u - px));
      }
    }
    return sum;
  });
}

/** The mean over all source values whose unit square overlaps the place's share of the plane. */
function naiveArea(source: FeatureMap, size: MapSize): number[] {
  const overlaps = (place: number, places: number, i: number, length: number): boolean =>
    (i + 1) * places > place * length && i * places < (place + 1) * length;
  return eachPlace(source, size, (at, y, x) => {
    const covered: number[] = [];
    for (let v = 0; v < source.height; v++) {
      if (!overlaps(y, size.height, v, source.height)) continue;
      for (let u = 0; u < source.width; u++) if (overlaps(x, size.width, u, source.width)) covered.push(at(v, u));
    }
    return covered.reduce((a, b) => a + b, 0) / covered.length;
  });
}

describe("resizeLinear", () => {
  // Expected: torch 1.13, F.interpolate(x[None, None, None], size=(1, h, w), mode="trilinear").
  const source = map(2, 3, [1, -2, 4, 3, 0.5, -1]);

  it.each<[number, number, number[]]>([
    [3, 5, [1, -0.2, -2, 1.6, 4, 2, 0.9, -0.75, 0.6, 1.5, 3, 2, 0.5, -0.4, -1]],
    [1, 2, [1.3125, 0.9375]],
    [4, 4, [1, -0.875, 0.25, 4, 1.5, -0.296875, 0.171875, 2.75, 2.5, 0.859375, 0.015625, 0.25, 3, 1.4375, -0.0625, -1]],
  ])("gives PyTorch's values at %i x %i", (height, width, expected) => {
    expectNear(resizeLinear(source, { height, width }), expected);
  });

  it("agrees with a naive sum at any size", () => {
    fc.assert(
      fc.property(maps, sizes, (from, size) => {
        expectNear(resizeLinear(from, size), naiveLinear(from, size));
      }),
    );
  });

  it("copies a map of the same size exactly", () => {
    fc.assert(
      fc.property(maps, (from) => {
        expect(resizeLinear(from, from).data.map((value) => value + 0)).toEqual(from.data.map((value) => value + 0));
      }),
    );
  });
});

describe("addLinear", () => {
  it("adds to what is there", () => {
    const sum = zeros(1, 1, { height: 1, width: 4 });
    sum.data.fill(10);
    addLinear(map(1, 2, [0, 4]), sum);
    expect([...sum.data]).toEqual([10, 11, 13, 14]);
  });
});

describe("resizeArea", () => {
  // Expected: torch 1.13, F.interpolate(x[None, None], size=(h, w), mode="area") of i² / 10 for i = 1 … 20.
  const source = map(
    4,
    5,
    Array.from({ length: 20 }, (_, i) => (i + 1) ** 2 / 10),
  );

  it.each<[number, number, number[]]>([
    [3, 3, [2.25, 3.7166669, 5.55, 8.75, 11.7166672, 15.05, 20.25, 24.7166672, 29.55]],
    [2, 7, [1.85, 2.25, 3.15, 3.65, 4.25, 5.55, 6.25, 18.85, 20.25, 23.15, 24.65, 26.25, 29.55, 31.25]],
  ])("gives PyTorch's values at %i x %i", (height, width, expected) => {
    expectNear(resizeArea(source, { height, width }), expected);
  });

  it("agrees with a naive mean at any size", () => {
    fc.assert(
      fc.property(maps, sizes, (from, size) => {
        expectNear(resizeArea(from, size), naiveArea(from, size));
      }),
    );
  });
});
