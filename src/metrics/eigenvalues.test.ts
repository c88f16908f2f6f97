import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withEigenvalues } from "../../test/support/matrices.js";
import { symmetricEigenvalues } from "./eigenvalues.js";

function eigenvalues(matrix: Float64Array, size: number): number[] {
  return [...symmetricEigenvalues(matrix, size)].sort((a, b) => a - b);
}

describe("symmetricEigenvalues", () => {
  it("finds the eigenvalues a matrix was made with, whatever their order, signs and repetitions", () => {
    const value = fc.oneof(fc.double({ min: -100, max: 100, noNaN: true }), fc.integer({ min: -2, max: 2 }));
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 30 }),
        fc.double({ min: 0, max: 6, noNaN: true }),
        (made, phase) => {
          const found = eigenvalues(withEigenvalues(made, phase), made.length);
          const sorted = made.toSorted((a, b) => a - b);
          // A few roundings of numbers up to 100, in making the matrix as in taking it apart.
          found.forEach((one, i) => expect(Math.abs(one - sorted[i]!)).toBeLessThan(1e-11));
        },
      ),
    );
  });

  it("is exact where nothing is to do", () => {
    expect(eigenvalues(Float64Array.of(3), 1)).toEqual([3]);
    expect(eigenvalues(Float64Array.of(4, 0, 0, 0, -1, 0, 0, 0, 2), 3)).toEqual([-1, 2, 4]);
    expect(eigenvalues(new Float64Array(16), 4)).toEqual([0, 0, 0, 0]);
  });

  it("gets through a cluster of small values beside large ones, and keeps a graded matrix's small ones", () => {
    const falling = Array.from({ length: 120 }, (_, i) => 200 * Math.exp(-i / 2) + 1e-14 * (1 + i / 120));
    const found = eigenvalues(withEigenvalues(falling), falling.length);
    const sorted = falling.toSorted((a, b) => a - b);
    // 2⁻⁵² of the largest is 4e-14.
    found.forEach((one, i) => expect(Math.abs(one - sorted[i]!)).toBeLessThan(1e-12));
    const graded = Float64Array.from({ length: 36 }, (_, at) => {
      const [i, j] = [Math.floor(at / 6), at % 6];
      return (i === j ? 2 : 1) * 1e-3 ** (i + j);
    });
    const smallest = eigenvalues(graded, 6)[0]!;
    // D B D with B = 1 + ones: the determinant is 7 · 10⁻⁹⁰, and the smallest is it over that of the first five, 6 · 10⁻⁶⁰.
    expect(smallest / ((7 / 6) * 1e-30)).toBeCloseTo(1, 4);
  });

  it("refuses a matrix that is not finite", () => {
    expect(() => symmetricEigenvalues(Float64Array.of(1, NaN, NaN, 1), 2)).toThrow(RangeError);
  });
});
