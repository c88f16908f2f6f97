import fc from "fast-check";
import { expect, it } from "vitest";
import { cutEvenly } from "./cut-evenly.js";

it("cuts into the fewest parts that are not too long, of which none is longer than another by more than one", () => {
  const lengths = fc.integer({ min: 1, max: 200 });
  fc.assert(
    fc.property(lengths, lengths, (length, most) => {
      const ends = cutEvenly(length, most);
      const parts = ends.map((end, i) => end - (ends[i - 1] ?? 0));
      expect(ends.at(-1)).toBe(length);
      expect(parts.length).toBe(Math.ceil(length / most));
      expect(Math.max(...parts)).toBeLessThanOrEqual(most);
      expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(1);
    }),
  );
});

it("leaves the whole where there is no limit", () => {
  expect(cutEvenly(7, Infinity)).toEqual([7]);
});
