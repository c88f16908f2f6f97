import fc from "fast-check";
import { expect, it } from "vitest";
import { noise } from "../../../test/support/cache.js";
import { storedTensor } from "../../../test/support/graph.js";
import { readFloat32 } from "../../checkpoint/read.js";
import { inRows } from "./rows.js";

it("takes every value to the nearest level of its row, signs and zeros exactly, and turns the matrix", () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 150 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom(127, 64),
      fc.integer(),
      async (rows, columns, largest, seed) => {
        const values = noise(rows * columns, seed).map((value, i) => (i % 7 === 0 ? 0 : value));
        const matrix = inRows(storedTensor("w", { shape: [rows, columns], values: Array.from(values) }), largest);
        expect([matrix.levels.shape, matrix.scales.shape]).toEqual([[columns, rows], [rows]]);
        const levels = new Int8Array((await matrix.levels.source.read(0, rows * columns)).slice().buffer);
        const scales = await readFloat32(matrix.scales);
        for (let row = 0; row < rows; row++) {
          const own = values.subarray(row * columns, (row + 1) * columns);
          // Half a step, and float32 rounding of values about 1.
          const limit = Math.max(...own.map(Math.abs)) / largest / 2 + 1e-6;
          for (const [column, expected] of own.entries()) {
            const level = levels[column * rows + row]!;
            expect(Math.abs(level)).toBeLessThanOrEqual(largest);
            expect(Math.abs(level * scales[row]! - expected)).toBeLessThanOrEqual(limit);
            if (expected === 0) expect(level).toBe(0);
          }
        }
      },
    ),
    { numRuns: 60 },
  ));
