import fc from "fast-check";
import { expect, it } from "vitest";
import { cutPieces, cutTokens, pieceFeeds } from "./pieces.js";

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
      const pieces = cutPieces(rows, tokens, hidden);
      const areas = pieces.tokens.map(([first, end], i) => pieces.rows[i]!.length * (end - first));
      expect(new Set(areas).size).toBe(1);
      expect(areas[0]! * pieces.rows.length).toBe(rows * tokens);
      expect(areas[0]! * hidden * 4).toBeLessThanOrEqual(2 ** 23);
      expect(areas[0]).toBeLessThanOrEqual(512);
      // Joined behind one another they are the rows in order.
      pieces.rows.forEach(([row], i) => expect(row! * tokens + pieces.tokens[i]![0]).toBe(i * areas[0]!));
    }),
    { numRuns: 300 },
  );
});

it("leaves a small scale whole", () => {
  expect(cutPieces(4, 16, 3072)).toEqual({ rows: [[0, 1, 2, 3]], tokens: [[0, 16]] });
});

it("feeds the pieces as tables", () => {
  const { piece_rows: rows, piece_tokens: tokens } = pieceFeeds(cutPieces(2, 600, 3072));
  expect([rows.dims, tokens.dims]).toEqual([
    [4, 1],
    [4, 2],
  ]);
  expect(Array.from(rows.data as BigInt64Array, Number)).toEqual([0, 0, 1, 1]);
  expect(Array.from(tokens.data as BigInt64Array, Number)).toEqual([0, 300, 300, 600, 0, 300, 300, 600]);
});

it("cuts tokens for a device into the fewest pieces that can be bound, or into single ones", () => {
  const tokens = fc.integer({ min: 1, max: 12_544 });
  const numbers = fc.oneof(fc.integer({ min: 1, max: 2 ** 20 }), fc.integer({ min: 1, max: 2 ** 26 }));
  fc.assert(
    fc.property(tokens, numbers, (all, valuesOfToken) => {
      const ends = cutTokens(all, valuesOfToken);
      const most = Math.max(...ends.map((end, i) => end - (ends[i - 1] ?? 0)));
      expect(ends.at(-1)).toBe(all);
      const bindable = Math.max(1, Math.floor(2 ** 25 / valuesOfToken));
      expect(most).toBeLessThanOrEqual(bindable);
      expect(ends).toHaveLength(Math.ceil(all / bindable));
    }),
    { numRuns: 300 },
  );
});
