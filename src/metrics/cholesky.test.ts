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
  it("gives rows that make up the matrix, as many as its rank", () => {
    const positive = fc.array(fc.double({ min: 0.01, max: 50, noNaN: true }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(positive, fc.integer({ min: 0, max: 8 }), (values, zeros) => {
        const made = [...values, ...Array<number>(zeros).fill(0)];
        const matrix = withEigenvalues(made);
        const root = pivotedCholesky(matrix, made.length);
        expect(root.rank).toBe(values.length);
        expect(root.rows).toHaveLength(root.rank * made.length);
        product(root, made.length).forEach((value, i) => expect(Math.abs(value - matrix[i]!)).toBeLessThan(1e-11));
      }),
    );
  });

  it("takes the largest variance first and leaves dimensions without any out", () => {
    const { rank, rows } = pivotedCholesky(Float64Array.of(1, 0, 0, 0, 0, 0, 0, 0, 9), 3);
    expect([rank, ...rows]).toEqual([2, 0, 0, 3, 1, 0, 0]);
    expect(pivotedCholesky(new Float64Array(4), 2).rank).toBe(0);
  });
});
