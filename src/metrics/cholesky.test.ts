import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sum } from "../../test/support/arrays.js";
import { withEigenvalues } from "../../test/support/matrices.js";
import { pivotedCholesky } from "./cholesky.js";

/** Σ rowᵀ row. */
function product({ rank, rows }: ReturnType<typeof pivotedCholesky>, size: number): number[] {
  return Array.from({ length: size * size }, (_, at) =>
    sum(rank, (k) => rows[k * size + Math.floor(at / size)]! * rows[k * size + (at % size)]!),
  );
}

describe("pivotedCholesky", () => {
  it("gives rows that make up the matrix, as many as its rank but for what rounding adds", () => {
    const positive = fc.array(fc.double({ min: 0.01, max: 50, noNaN: true }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(positive, fc.integer({ min: 0, max: 8 }), (values, zeros) => {
        const made = [...values, ...Array<number>(zeros).fill(0)];
        const matrix = withEigenvalues(made);
        const root = pivotedCholesky(matrix, made.length);
        expect(root.rank).toBeGreaterThanOrEqual(values.length);
        expect(root.rows).toHaveLength(root.rank * made.length);
        // The matrix itself is rounded, to some 2⁻⁵² of 50, and so has a little of other directions, up to 5,000 times as
        // much of it where the least of what it was made of is 0.01.
        root.rows.subarray(values.length * made.length).forEach((value) => expect(value ** 2).toBeLessThan(1e-10));
        product(root, made.length).forEach((value, i) => expect(Math.abs(value - matrix[i]!)).toBeLessThan(1e-11));
      }),
      {
        examples: [[[0.01, 2.713786015692194, 0.393936681601765, 0.038199900249024706, 0.01, 0.021378629759796958], 5]],
      },
    );
  });

  it("takes the largest variance first and leaves dimensions without any out", () => {
    const { rank, rows } = pivotedCholesky(Float64Array.of(1, 0, 0, 0, 0, 0, 0, 0, 9), 3);
    expect([rank, ...rows]).toEqual([2, 0, 0, 3, 1, 0, 0]);
    expect(pivotedCholesky(new Float64Array(4), 2).rank).toBe(0);
  });

  it("ends where only rounding errors are left", () => {
    expect(pivotedCholesky(new Float64Array(400).fill(1), 20).rank).toBe(1);
    // Of two dimensions, less and more than 2 · 2⁻⁵² of the largest variance.
    expect(pivotedCholesky(Float64Array.of(1, 0, 0, 4e-16), 2).rank).toBe(1);
    expect(pivotedCholesky(Float64Array.of(1, 0, 0, 5e-16), 2).rank).toBe(2);
  });
});
