import { describe, expect, it } from "vitest";
import { CACHE_LAYOUTS, cacheBytes, tokenBytes, type CacheLayout } from "./memory.js";

const MIB = 2 ** 20;
/** Eight images with guidance are 16 rows. */
const INFINITY_2B = { depth: 32, width: 2048, heads: 16, rows: 16 };
const INFINITY_8B = { depth: 40, width: 3584, heads: 28, rows: 16 };

describe("cacheBytes", () => {
  it.each([
    ["2B", INFINITY_2B, [38_550, 7_800, 3_900, 1_590]],
    ["8B", INFINITY_8B, [84_328, 17_062, 8_531, 3_478]],
  ])("gives the MiB of the paper's Table 3 for %s", (_, owner, published) => {
    // The paper cuts its figures off: 8B takes 84,328.125, 17,062.5, 8,531.25 and 3,478.125 MiB.
    const mebibytes = [6425, 1300, 650, 265].map((tokens) =>
      Math.floor(cacheBytes(owner, tokens, CACHE_LAYOUTS.published) / MIB),
    );
    expect(mebibytes).toEqual(published);
  });

  it("needs a third less for the same in fp16, and little over a third in int8", () => {
    const mebibytes = (layout: CacheLayout) => cacheBytes(INFINITY_2B, 650, layout) / MIB;
    expect(mebibytes(CACHE_LAYOUTS.fp16)).toBe(2600);
    // 1,300 MiB of values and 40.625 of scales.
    // 1,340.625 for one byte a value, and 32 layers × 16 rows × 21 tokens × 2 × 2048 bytes for the second byte of the first.
    expect(mebibytes(CACHE_LAYOUTS.int8)).toBe(1340.625 + 42);
  });

  it("counts layers one by one", () => {
    const owner = { depth: 2, width: 8, heads: 2, rows: 3 };
    expect(tokenBytes(owner, CACHE_LAYOUTS.fp32)).toBe(3 * 8 * 8);
    expect(tokenBytes(owner, CACHE_LAYOUTS.int8)).toBe(3 * (8 * 2 + 2 * 2 * 4));
    expect(cacheBytes(owner, [5, 7], CACHE_LAYOUTS.fp32)).toBe(cacheBytes(owner, 6, CACHE_LAYOUTS.fp32));
  });

  it("shows what appending the last scale costs: 2B holds 7,890.75 MiB for one image", () => {
    expect(cacheBytes({ ...INFINITY_2B, rows: 2 }, 6425 + 4096, CACHE_LAYOUTS.published) / MIB).toBe(7890.75);
  });
});
