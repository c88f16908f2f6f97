import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withEigenvalues } from "../../test/support/matrices.js";
import { frechetDistance } from "./frechet.js";
import { RunningMoments, type Moments } from "./moments.js";

function moments(mean: readonly number[], covariance: Float64Array, count = 1000): Moments {
  return { count, mean: Float64Array.from(mean), covariance };
}

/** Moments of random vectors, fewer than dimensions or more. */
const estimated = fc
  .array(fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 5, maxLength: 5 }), {
    minLength: 2,
    maxLength: 12,
  })
  .map((rows) => {
    const running = new RunningMoments(5);
    for (const row of rows) running.add(Float64Array.from(row));
    return running.moments();
  });

describe("frechetDistance", () => {
  it("is known where the covariances have the same eigenvectors", async () => {
    const [first, second] = [
      [4, 1, 0.25, 9, 0],
      [1, 1, 2.25, 4, 0],
    ];
    const a = moments([1, 0, 0, 0, 2], withEigenvalues(first));
    const b = moments([0, 0, 0, 0, 4], withEigenvalues(second));
    // 1 + 4 of the means; (2 − 1)² + 0 + (½ − 1½)² + (3 − 2)² of the roots.
    expect(await frechetDistance(a, b)).toBeCloseTo(5 + 3, 10);
  });

  it("is 0 from a distribution to itself, and as far there as back", async () => {
    await fc.assert(
      fc.asyncProperty(estimated, estimated, async (a, b) => {
        // The root of an eigenvalue that should be 0 and is 2⁻⁵² of 100 is 1.5e-7; five of them, twice.
        expect(Math.abs(await frechetDistance(a, a))).toBeLessThan(2e-6);
        const there = await frechetDistance(a, b);
        expect(there).toBeGreaterThan(-2e-6);
        expect(Math.abs(there - (await frechetDistance(b, a)))).toBeLessThan(2e-6);
      }),
      { numRuns: 6 },
    );
  });

  it("serves a distribution without spread", async () => {
    const point = moments([1, 1], new Float64Array(4));
    expect(await frechetDistance(point, moments([1, 4], Float64Array.of(2, 0, 0, 3)))).toBe(9 + 5);
  });

  it("refuses distributions of different sizes", async () => {
    const pair = [moments([1], Float64Array.of(1)), moments([1, 1], new Float64Array(4))] as const;
    await expect(frechetDistance(...pair)).rejects.toThrow("distributions of 1 and 2 dimensions");
  });
});
