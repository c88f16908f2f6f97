import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ModelError } from "../../errors.js";
import { checkBuckets, positionBias, relativeBucket, type BucketSizes } from "./position-bias.js";

const FLAN: BucketSizes = { relativeBuckets: 32, relativeMaxDistance: 128 };

/**
 * The same rule in whole numbers: a distance d is in the n-th widening bucket or beyond if
 * d / single ≥ (max / single)^(n / wide), which is d^wide · single^n ≥ max^n · single^wide.
 */
function exactBucket(distance: number, { relativeBuckets, relativeMaxDistance }: BucketSizes): number {
  const perSide = Math.floor(relativeBuckets / 2);
  const single = Math.floor(perSide / 2);
  const wide = BigInt(perSide - single);
  const [d, s, max] = [BigInt(Math.abs(distance)), BigInt(single), BigInt(relativeMaxDistance)];
  const reaches = (n: bigint): boolean => d ** wide * s ** n >= max ** n * s ** wide;
  let bucket = Math.min(Math.abs(distance), single);
  for (let n = 1n; n < wide && reaches(n); n++) bucket++;
  return bucket + (distance > 0 ? perSide : 0);
}

describe("relativeBucket", () => {
  it("equals the rule in whole numbers over every distance of the longest text", () => {
    const sizes = [
      FLAN,
      { relativeBuckets: 64, relativeMaxDistance: 256 },
      { relativeBuckets: 16, relativeMaxDistance: 50 },
    ];
    for (const size of sizes) {
      const distances = Array.from({ length: 1023 }, (_, i) => i - 511);
      const buckets = distances.map((distance) => relativeBucket(distance, size));
      expect(buckets).toEqual(distances.map((distance) => exactBucket(distance, size)));
    }
  });

  it("gives the published buckets at the edges", () => {
    const edges = [0, -1, -7, -8, -11, -12, -15, -16, -127, -128, -511, 1, 7, 8, 128, 511];
    // From PyTorch's float32 arithmetic.
    expect(edges.map((distance) => relativeBucket(distance, FLAN))).toEqual([
      0, 1, 7, 8, 8, 9, 9, 10, 15, 15, 15, 17, 23, 24, 31, 31,
    ]);
  });
});

describe("positionBias", () => {
  it("holds, for each head, query and key, the table's entry for their distance", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3 }), (length, heads) => {
        const table = Float32Array.from({ length: FLAN.relativeBuckets * heads }, (_, i) => i + 0.5);
        const bias = positionBias(table, { ...FLAN, heads }, length);
        const expected = Float32Array.from({ length: heads * length * length }, (_, i) => {
          const key = i % length;
          const query = Math.floor(i / length) % length;
          const head = Math.floor(i / length / length);
          return relativeBucket(key - query, FLAN) * heads + head + 0.5;
        });
        expect(bias).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });
});

describe("checkBuckets", () => {
  it("takes the published sizes and refuses those the formula has no answer for", () => {
    checkBuckets(FLAN, "x");
    checkBuckets({ relativeBuckets: 4, relativeMaxDistance: 2 }, "x");
    expect(() => checkBuckets({ ...FLAN, relativeBuckets: 3 }, "x")).toThrow(ModelError);
    expect(() => checkBuckets({ ...FLAN, relativeMaxDistance: 8 }, "x")).toThrow(
      "x: relative attention distance 8, more than 8 is needed with 32 buckets",
    );
  });
});
