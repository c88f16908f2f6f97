import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chosen, sample } from "./chance.js";
import { Reservoir } from "./reservoir.js";

/** A reservoir that 0, 1, 2, … passed, each as a vector of two. */
function passed(count: number, capacity: number): number[] {
  const reservoir = new Reservoir(2, capacity);
  for (let i = 0; i < count; i++) reservoir.add(Float32Array.of(i, -i));
  const { rows } = reservoir;
  expect(rows).toHaveLength(2 * reservoir.count);
  return Array.from({ length: reservoir.count }, (_, k) => {
    expect(rows[2 * k + 1]).toBe(rows[2 * k] === 0 ? -0 : -rows[2 * k]!);
    return rows[2 * k]!;
  });
}

describe("Reservoir", () => {
  it("keeps everything in order up to its capacity, and that many different ones from then on", () => {
    expect(passed(0, 4)).toEqual([]);
    expect(passed(7, 7)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 60 }), (capacity, more) => {
        const kept = passed(capacity + more, capacity);
        expect(new Set(kept).size).toBe(capacity);
        expect(passed(capacity + more, capacity)).toEqual(kept);
      }),
    );
  });

  it("keeps late ones as likely as early ones", () => {
    const kept = passed(20_000, 2_000);
    // Of 2000 kept ones 1000 ± 22 should be of the first half; five deviations off would be a mistake.
    const early = kept.filter((value) => value < 10_000).length;
    expect(Math.abs(early - 1000)).toBeLessThan(110);
  });

  it("refuses a vector of another length", () => {
    expect(() => new Reservoir(2, 4).add(Float32Array.of(1))).toThrow("a vector of 1, expected 2");
  });
});

describe("choices by number alone", () => {
  it("are in range, differ from stream to stream, and are the same every time", () => {
    const numbers = (stream: number): number[] => Array.from({ length: 1000 }, (_, i) => chosen(stream, i, 10));
    expect(numbers(1)).toEqual(numbers(1));
    expect(numbers(1)).not.toEqual(numbers(2));
    const counts = Array.from({ length: 10 }, (_, n) => numbers(1).filter((one) => one === n).length);
    // 100 ± 9.5 of each.
    for (const count of counts) expect(Math.abs(count - 100)).toBeLessThan(50);
  });

  it("make samples of different numbers", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 50 }), fc.nat(50), (stream, bound, wanted) => {
        const count = Math.min(bound, wanted);
        const numbers = sample(stream, count, bound);
        expect(new Set(numbers).size).toBe(count);
        for (const one of numbers) expect(one).toBeLessThan(bound);
      }),
    );
  });
});
