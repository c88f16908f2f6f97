import { describe } from "vitest";
import { at, sum, tabulate, wave, type NdArray } from "../../../test/support/arrays.js";
import { testOperators } from "../../../test/support/graph.js";
import * as convolution from "./convolution.js";

const X = wave([2, 3, 5, 4]);
const WEIGHT = wave([2, 3, 3, 3], 1);
const BIAS = wave([2], 2);

/** Zero outside the map. */
function pixel(batch: number, channel: number, row: number, column: number): number {
  const inside = row >= 0 && row < 5 && column >= 0 && column < 4;
  return inside ? at(X, batch, channel, row, column) : 0;
}

/** `top` and `left` rows and columns of zeros before the map. */
function convolved(height: number, width: number, stride: number, top: number, left: number): NdArray {
  return tabulate([2, 2, height, width], (b, out, row, column) =>
    sum(3, (c) =>
      sum(3, (i) =>
        sum(3, (j) => at(WEIGHT, out, c, i, j) * pixel(b, c, row * stride + i - top, column * stride + j - left)),
      ),
    ),
  );
}

function withBias({ shape, values }: NdArray): NdArray {
  const [, , height = 0, width = 0] = shape;
  return { shape, values: values.map((value, i) => value + at(BIAS, Math.floor(i / (height * width)) % 2)) };
}

describe("convolution and resampling follow their definitions", () => {
  testOperators<keyof typeof convolution>({
    Conv: [
      {
        inputs: [X, WEIGHT, BIAS],
        build: (g, x, weight, bias) => convolution.Conv(g, x, weight, bias, { padding: 1 }),
        expected: withBias(convolved(5, 4, 1, 1, 1)),
      },
      {
        // The VAE's encoder halves a map with zeros below and to the right only.
        inputs: [X, WEIGHT],
        build: (g, x, weight) => convolution.Conv(g, x, weight, undefined, { stride: 2, padding: [0, 0, 1, 1] }),
        expected: convolved(2, 2, 2, 0, 0),
      },
      {
        inputs: [X, WEIGHT],
        build: (g, x, weight) => convolution.Conv(g, x, weight, undefined),
        expected: convolved(3, 2, 1, 0, 0),
      },
    ],
    DepthToSpace: [
      {
        inputs: [wave([2, 12, 2, 5])],
        build: (g, x) => convolution.DepthToSpace(g, x, 2),
        expected: tabulate([2, 3, 4, 10], (b, c, row, column) =>
          at(
            wave([2, 12, 2, 5]),
            b,
            3 * (2 * (row % 2) + (column % 2)) + c,
            Math.floor(row / 2),
            Math.floor(column / 2),
          ),
        ),
      },
    ],
    UpsampleNearest: [
      {
        inputs: [X],
        build: (g, x) => convolution.UpsampleNearest(g, x, 2),
        expected: tabulate([2, 3, 10, 8], (b, c, row, column) =>
          at(X, b, c, Math.floor(row / 2), Math.floor(column / 2)),
        ),
      },
    ],
  });
});
