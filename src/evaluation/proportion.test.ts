import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pairedDifference, proportion } from "./proportion.js";

describe("proportion", () => {
  // The last three: Newcombe, Statistics in Medicine 17 (1998), table I, method 3; the others from the quadratic's roots.
  it.each([
    [0, 10, 0, 0.2775],
    [5, 10, 0.2366, 0.7634],
    [10, 10, 0.7225, 1],
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [1, 29, 0.0061, 0.1718],
  ])("%i of %i lies between %f and %f", (right, of, low, high) => {
    const found = proportion(right, of);
    expect(found).toMatchObject({ right, of, share: right / of });
    // the known values have four digits
    expect(found.low).toBeCloseTo(low, 4);
    expect(found.high).toBeCloseTo(high, 4);
  });

  it("knows nothing without trials", () => {
    expect(proportion(0, 0)).toEqual({ right: 0, of: 0, share: NaN, low: 0, high: 1 });
  });

  it("holds the share and stays inside 0 to 1", () => {
    const trials = fc.nat({ max: 1000 }).chain((of) => fc.tuple(fc.nat({ max: of + 1 }), fc.constant(of + 1)));
    fc.assert(
      fc.property(trials, ([right, of]) => {
        const { share, low, high } = proportion(right, of);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        // rounding of doubles
        expect(low).toBeLessThanOrEqual(share + 1e-12);
        expect(high).toBeGreaterThanOrEqual(share - 1e-12);
      }),
    );
  });
});

describe("pairedDifference", () => {
  it("is zero, and sure, where all trials agree", () => {
    expect(pairedDifference([true, false], [true, false])).toEqual({ difference: 0, error: 0 });
  });

  it("counts gains and losses", () => {
    const before = [true, true, true, false, false, false, false, false, false, false];
    const after = [false, true, true, true, true, true, false, false, false, false];
    const { difference, error } = pairedDifference(before, after);
    expect(difference).toBeCloseTo(0.2, 12);
    // 3 gained, 1 lost: 4 − 2² / 10 = 3.6
    expect(error).toBeCloseTo(0.1959964 * Math.sqrt(3.6), 9);
  });
});
