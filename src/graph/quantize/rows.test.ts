import fc from "fast-check";
import { expect, it } from "vitest";
import { noise } from "../../../test/support/cache.js";
import { storedTensor } from "../../../test/support/graph.js";
import { readFloat32 } from "../../checkpoint/read.js";
import { CheckpointError } from "../../errors.js";
import { inRows } from "./rows.js";

it("takes every value to the nearest level of its row, signs and zeros exactly, and turns the matrix", () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 150 }),
      fc.integer({ min: 1, max: 20 }),
      fc.boolean(),
      fc.integer(),
      async (rows, columns, unsigned, seed) => {
        const values = noise(rows * columns, seed).map((value, i) => (i % 7 === 0 ? 0 : value));
        const matrix = inRows(storedTensor("w", { shape: [rows, columns], values: Array.from(values) }), unsigned);
        expect([matrix.levels.shape, matrix.scales.shape]).toEqual([[columns, rows], [rows]]);
        expect([matrix.levels.dtype, matrix.zero]).toEqual(unsigned ? ["u8", 128] : ["i8", 0]);
        const { buffer } = (await matrix.levels.source.read(0, rows * columns)).slice();
        const levels = unsigned ? new Uint8Array(buffer) : new Int8Array(buffer);
        const scales = await readFloat32(matrix.scales);
        for (let row = 0; row < rows; row++) {
          const own = values.subarray(row * columns, (row + 1) * columns);
          // Half a step, and float32 rounding of values about 1.
          const limit = Math.max(...own.map(Math.abs)) / 127 / 2 + 1e-6;
          for (const [column, expected] of own.entries()) {
            const level = levels[column * rows + row]! - matrix.zero;
            expect(Math.abs(level)).toBeLessThanOrEqual(127);
            expect(Math.abs(level * scales[row]! - expected)).toBeLessThanOrEqual(limit);
            if (expected === 0) expect(level).toBe(0);
          }
        }
      },
    ),
    { numRuns: 60 },
  ));

it.each([NaN, Infinity, -Infinity])("refuses a matrix with the value %d, by its tensor's name", async (value) => {
  const tensor = storedTensor("w", { shape: [2, 2], values: [1, 2, value, 4] });
  const { levels, scales } = inRows(tensor);
  const line = `${tensor.source.name}: w has values that are no finite numbers`;
  for (const { source } of [levels, scales]) await expect(source.read(0, 4)).rejects.toThrow(new CheckpointError(line));
});
