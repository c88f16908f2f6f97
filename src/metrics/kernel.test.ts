import { describe, expect, it } from "vitest";
import { sum } from "../../test/support/arrays.js";
import { uniforms } from "../../test/support/random-weights.js";
import { kernelDistance } from "./kernel.js";
import { Reservoir } from "./reservoir.js";

const SIZE = 6;

function vectors(name: string, count: number, offset = 0): Float32Array[] {
  const u = uniforms(name, count * SIZE);
  return Array.from({ length: count }, (_, row) =>
    Float32Array.from({ length: SIZE }, (_, i) => u[row * SIZE + i]! + offset),
  );
}

function reservoir(rows: readonly Float32Array[]): Reservoir {
  const kept = new Reservoir(SIZE, 4096);
  for (const row of rows) kept.add(row);
  return kept;
}

/** The definition, pair by pair. */
function oracle(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  const kernel = (x: Float32Array, y: Float32Array): number => (sum(SIZE, (i) => x[i]! * y[i]!) / SIZE + 1) ** 3;
  const within = (rows: readonly Float32Array[]): number =>
    sum(rows.length, (i) => sum(rows.length, (j) => (i === j ? 0 : kernel(rows[i]!, rows[j]!)))) /
    (rows.length * (rows.length - 1));
  const across = sum(a.length, (i) => sum(b.length, (j) => kernel(a[i]!, b[j]!))) / (a.length * b.length);
  return within(a) + within(b) - 2 * across;
}

describe("kernelDistance", () => {
  it("is the unbiased estimate over all pairs where one subset holds everything", async () => {
    const [a, b] = [vectors("a", 40), vectors("b", 40, 0.3)];
    // Products are in float32.
    expect(Math.abs((await kernelDistance(reservoir(a), reservoir(b))) - oracle(a, b))).toBeLessThan(1e-6);
  });

  it("averages subsets of what is larger, the same ones every time", async () => {
    const [a, b] = [vectors("a", 120), vectors("b", 120, 0.3)];
    const subsets = { number: 100, rows: 100 };
    const found = await kernelDistance(reservoir(a), reservoir(b), subsets);
    expect(await kernelDistance(reservoir(a), reservoir(b), subsets)).toBe(found);
    // Over subsets of 100 of these 120 the estimate varies by some percent, their mean of 100 by a tenth of it.
    expect(Math.abs(found / oracle(a, b) - 1)).toBeLessThan(0.03);
    expect(found).not.toBe(await kernelDistance(reservoir(a), reservoir(b), { ...subsets, number: 99 }));
  });

  it("is about 0 between samples of one distribution", async () => {
    const found = await kernelDistance(reservoir(vectors("a", 300)), reservoir(vectors("b", 300)));
    expect(Math.abs(found)).toBeLessThan(0.02);
  });

  it("refuses sets without a pair", async () => {
    const [one, two] = [reservoir(vectors("a", 1)), reservoir(vectors("b", 2))];
    await expect(kernelDistance(one, two)).rejects.toThrow("1 and 2 vectors: at least 2 are needed");
  });
});
