import fc from "fast-check";
import { expect, it } from "vitest";
import { cutPieces, pieceFeeds } from "./pieces.js";

const sizes = {
  rows: fc.integer({ min: 1, max: 32 }),
  height: fc.integer({ min: 1, max: 112 }),
  width: fc.integer({ min: 1, max: 112 }),
  hidden: fc.constantFrom(24, 3072, 8192, 14336),
};

it("cuts rows and tokens into equal pieces that follow one another, none with too large a hidden layer", () => {
  fc.assert(
    fc.property(fc.record(sizes), ({ rows, height, width, hidden }) => {
      const tokens = height * width;
      const { starts, ends } = cutPieces(rows, tokens, hidden);
      const areas = starts.map(([row, token], i) => (ends[i]![0] - row) * (ends[i]![1] - token));
      expect(new Set(areas).size).toBe(1);
      expect(areas[0]! * starts.length).toBe(rows * tokens);
      expect(areas[0]! * hidden * 4).toBeLessThanOrEqual(2 ** 24);
      expect(areas[0]).toBeLessThanOrEqual(512);
      // Joined behind one another they are the rows in order.
      starts.forEach(([row, token], i) => expect(row * tokens + token).toBe(i * areas[0]!));
    }),
    { numRuns: 300 },
  );
});

it("leaves a small scale whole", () => {
  expect(cutPieces(4, 16, 3072)).toEqual({ starts: [[0, 0]], ends: [[4, 16]] });
});

it("feeds the pieces as tables", () => {
  const { piece_starts: starts, piece_ends: ends } = pieceFeeds({
    starts: [
      [0, 0],
      [1, 0],
    ],
    ends: [
      [1, 3],
      [2, 3],
    ],
  });
  expect([starts.dims, ends.dims]).toEqual([
    [2, 2],
    [2, 2],
  ]);
  expect(Array.from(ends.data as BigInt64Array, Number)).toEqual([1, 3, 2, 3]);
});
