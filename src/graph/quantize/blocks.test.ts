import fc from "fast-check";
import { expect, it } from "vitest";
import { noise } from "../../../test/support/cache.js";
import { storedTensor } from "../../../test/support/graph.js";
import { readFloat32 } from "../../checkpoint/read.js";
import { CheckpointError } from "../../errors.js";
import { byteLength, type StoredTensor } from "../../checkpoint/tensor.js";
import { BLOCKS, inBlocks, type LevelBits } from "./blocks.js";

const read = ({ source, offset, ...tensor }: StoredTensor): Promise<Uint8Array> =>
  source.read(offset, byteLength({ source, offset, ...tensor }));

/** What the levels and scales stand for, [rows, blocks · block]. */
async function widened(matrix: ReturnType<typeof inBlocks>): Promise<number[][]> {
  const levels = await read(matrix.levels);
  const scales = await readFloat32(matrix.scales);
  const blocks = matrix.scales.shape[1]!;
  const middle = 2 ** (matrix.bits - 1);
  const levelAt = (i: number): number =>
    matrix.bits === 8 ? levels[i]! : i % 2 === 0 ? levels[i >> 1]! & 15 : levels[i >> 1]! >> 4;
  return Array.from({ length: matrix.rows }, (_, row) =>
    Array.from({ length: blocks * matrix.block }, (__, column) => {
      const place = row * blocks * matrix.block + column;
      return (levelAt(place) - middle) * scales[Math.floor(place / matrix.block)]!;
    }),
  );
}

it("takes every value to the nearest level of its block, signs and zeros exactly, and fills rows up with zeros", () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 3 * BLOCKS.float32 }),
      fc.constantFrom<LevelBits>(8, 4),
      fc.constantFrom(...Object.values(BLOCKS)),
      fc.integer(),
      async (rows, columns, bits, size, seed) => {
        const values = noise(rows * columns, seed).map((value, i) => (i % 7 === 0 ? 0 : value));
        const tensor = storedTensor("w", { shape: [rows, columns], values: Array.from(values) });
        const found = await widened(inBlocks(tensor, bits, size));
        for (const [row, all] of found.entries()) {
          for (const [column, value] of all.entries()) {
            const expected = column < columns ? values[row * columns + column]! : 0;
            const start = column - (column % size);
            const block = values.subarray(row * columns + start, row * columns + Math.min(start + size, columns));
            const step = Math.max(...block.map(Math.abs)) / (2 ** (bits - 1) - 1);
            // Half a step, and float32 rounding of values about 1.
            expect(Math.abs(value - expected)).toBeLessThanOrEqual(step / 2 + 1e-6);
            if (expected === 0) expect(value).toBe(0);
          }
        }
      },
    ),
    { numRuns: 60 },
  ));

it.each<LevelBits>([8, 4])(
  "cuts a matrix in %d bits that is read in several parts as its rows by themselves",
  async (bits) => {
    // More rows than are read at once, each unlike all others, and columns for a full block and a part of one.
    const [rows, columns] = [520, 40];
    const values = Array.from(noise(rows * columns, 3));
    const whole = await widened(inBlocks(storedTensor("w", { shape: [rows, columns], values }), bits, 32));
    expect(whole).toHaveLength(rows);
    for (const row of [0, 1, 7, 511, 512, 513, 519]) {
      const own = { shape: [1, columns], values: values.slice(row * columns, (row + 1) * columns) };
      expect([row, whole[row]]).toEqual([row, (await widened(inBlocks(storedTensor("w", own), bits, 32)))[0]]);
    }
  },
);

it.each([
  [8, NaN],
  [4, NaN],
  [8, Infinity],
  [4, -Infinity],
] as const)("refuses a matrix in %d bits with the value %d, by its tensor's name", async (bits, value) => {
  const tensor = storedTensor("w", { shape: [2, 3], values: [1, 2, 3, -4, value, 6] });
  const { levels, scales } = inBlocks(tensor, bits, 32);
  const line = `${tensor.source.name}: w has values that are no finite numbers`;
  for (const part of [levels, scales]) await expect(read(part)).rejects.toThrow(new CheckpointError(line));
});

it("reads a matrix once for both of its parts, and not before it is asked", async () => {
  const tensor = storedTensor("w", { shape: [2, 3], values: [1, 2, 3, -4, 5, 6] });
  let reads = 0;
  const counted = { ...tensor.source, read: (...range: [number, number]) => (reads++, tensor.source.read(...range)) };
  const matrix = inBlocks({ ...tensor, source: counted }, 8, 32);
  expect(reads).toBe(0);
  await read(matrix.levels);
  await read(matrix.scales);
  expect(reads).toBe(1);
  expect([matrix.levels.shape, matrix.scales.shape]).toEqual([
    [2, 1, 32],
    [2, 1],
  ]);
});
