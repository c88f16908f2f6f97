import { describe } from "vitest";
import { at, sum, tabulate, wave, type NdArray } from "../../../test/support/arrays.js";
import { testOperators } from "../../../test/support/graph.js";
import * as pooling from "./pooling.js";

const [BATCH, CHANNELS, HEIGHT, WIDTH] = [2, 3, 5, 4] as const;
const X = wave([BATCH, CHANNELS, HEIGHT, WIDTH]);

/** Windows of 3 × 3 with `padding` on all sides; `reduce` sees only pixels inside the map. */
function pooled(stride: number, padding: number, reduce: (inside: readonly number[]) => number): NdArray {
  const steps = (length: number): number => Math.floor((length + 2 * padding - 3) / stride) + 1;
  return tabulate([BATCH, CHANNELS, steps(HEIGHT), steps(WIDTH)], (b, c, row, column) => {
    const inside: number[] = [];
    for (let i = 0; i < 9; i++) {
      const [y, x] = [row * stride + Math.floor(i / 3) - padding, column * stride + (i % 3) - padding];
      if (y >= 0 && y < HEIGHT && x >= 0 && x < WIDTH) inside.push(at(X, b, c, y, x));
    }
    return reduce(inside);
  });
}

const mean = (values: readonly number[]): number => sum(values.length, (i) => values[i]!) / values.length;
const largest = (values: readonly number[]): number => Math.max(...values);

describe("pooling follows its definition", () => {
  testOperators<keyof typeof pooling>({
    MaxPool2d: [
      {
        inputs: [X],
        build: (g, x) => pooling.MaxPool2d(g, x, { kernel: 3, stride: 2 }),
        expected: pooled(2, 0, largest),
      },
      {
        inputs: [X],
        build: (g, x) => pooling.MaxPool2d(g, x, { kernel: 3, padding: 1 }),
        expected: pooled(1, 1, largest),
      },
    ],
    AveragePool2d: [
      {
        inputs: [X],
        build: (g, x) => pooling.AveragePool2d(g, x, { kernel: 3, padding: 1 }),
        expected: pooled(1, 1, mean),
      },
    ],
    GlobalAveragePool: [
      {
        inputs: [X],
        build: pooling.GlobalAveragePool,
        expected: tabulate([BATCH, CHANNELS, 1, 1], (b, c) =>
          mean(tabulate([HEIGHT, WIDTH], (row, column) => at(X, b, c, row, column)).values),
        ),
      },
    ],
  });
});
