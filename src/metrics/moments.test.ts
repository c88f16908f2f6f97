import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sum } from "../../test/support/arrays.js";
import { RunningMoments } from "./moments.js";

const SIZE = 3;
const vectors = fc.array(
  fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: SIZE, maxLength: SIZE }),
  {
    minLength: 2,
    maxLength: 20,
  },
);

describe("RunningMoments", () => {
  it("gives mean and covariance, also far from 0", () => {
    fc.assert(
      fc.property(vectors, fc.constantFrom(0, 1e6), (rows, offset) => {
        const running = new RunningMoments(SIZE);
        for (const row of rows) running.add(Float64Array.from(row, (value) => value + offset));
        const { count, mean, covariance } = running.moments();
        expect(count).toBe(rows.length);
        const centre = (i: number): number => sum(count, (k) => rows[k]![i]!) / count;
        for (let i = 0; i < SIZE; i++) {
          expect(mean[i]! - offset).toBeCloseTo(centre(i), 8);
          for (let j = 0; j < SIZE; j++) {
            const expected = sum(count, (k) => (rows[k]![i]! - centre(i)) * (rows[k]![j]! - centre(j))) / (count - 1);
            // Values of 10⁶ are known to 10⁻¹⁰, and so are their deviations.
            expect(covariance[i * SIZE + j]!).toBeCloseTo(expected, 6);
          }
        }
      }),
    );
  });

  it("refuses what is no estimate and what is no vector of its length", () => {
    const running = new RunningMoments(SIZE);
    running.add(Float32Array.of(1, 2, 3));
    expect(() => running.moments()).toThrow("a covariance of 1 vectors: at least 2 are needed");
    expect(() => running.add(Float32Array.of(1))).toThrow("a vector of 1, expected 3");
    expect(running.count).toBe(1);
  });
});
