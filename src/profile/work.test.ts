import { expect, it } from "vitest";
import { floorSeconds, operationsOf, times, together, type Ceilings, type Work } from "./work.js";

const CEILINGS: Ceilings = { operations: { fp32: 100, fp16: 150, q8: 200, w8a8: 400, q4: 400 }, bytes: 10 };
const MIXED: Work = { operations: { fp32: 100, q8: 400 }, bytes: 20 };

it("takes the longer of arithmetic and traffic, every kind of arithmetic at its own speed", () => {
  expect(floorSeconds(MIXED, CEILINGS)).toBe(1 + 2);
  expect(floorSeconds({ ...MIXED, bytes: 40 }, CEILINGS)).toBe(4);
  expect(floorSeconds({ operations: {}, bytes: 0 }, CEILINGS)).toBe(0);
});

it("adds and multiplies", () => {
  expect(together([MIXED, { operations: { q4: 5, q8: 1 }, bytes: 3 }])).toEqual({
    operations: { fp32: 100, q8: 401, q4: 5 },
    bytes: 23,
  });
  expect(times(3, MIXED)).toEqual({ operations: { fp32: 300, q8: 1200 }, bytes: 60 });
  expect(operationsOf(MIXED)).toBe(500);
});
