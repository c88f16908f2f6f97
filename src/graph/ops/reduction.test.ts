import { describe } from "vitest";
import { at, sum, tabulate, wave } from "../../../test/support/arrays.js";
import { testOperators } from "../../../test/support/graph.js";
import * as reduction from "./reduction.js";

const X = wave([2, 3, 4]);

describe("reductions keep the axis with length 1", () => {
  testOperators<keyof typeof reduction>({
    ReduceMean: [
      {
        inputs: [X],
        build: (g, x) => reduction.ReduceMean(g, x, 1),
        expected: tabulate([2, 1, 4], (a, _, c) => sum(3, (b) => at(X, a, b, c)) / 3),
      },
    ],
    ReduceSumSquare: [
      {
        inputs: [X],
        build: (g, x) => reduction.ReduceSumSquare(g, x, 2),
        expected: tabulate([2, 3, 1], (a, b) => sum(4, (c) => at(X, a, b, c) ** 2)),
      },
    ],
    ReduceSum: [
      {
        inputs: [X],
        build: (g, x) => reduction.ReduceSum(g, x, 1),
        expected: tabulate([2, 1, 4], (a, _, c) => sum(3, (b) => at(X, a, b, c))),
      },
    ],
    ArgMax: [
      {
        // Of equals the first.
        inputs: [{ shape: [2, 3], values: [1, 5, 5, 7, 0, 7] }],
        build: (g, x) => reduction.ArgMax(g, x, 1),
        expected: { shape: [2, 1], values: [1, 0] },
        type: "int64",
      },
    ],
    ReduceMax: [
      {
        inputs: [X],
        build: (g, x) => reduction.ReduceMax(g, x, 1),
        expected: tabulate([2, 1, 4], (a, _, c) => Math.max(...[0, 1, 2].map((b) => at(X, a, b, c)))),
      },
    ],
    ReduceMin: [
      {
        inputs: [X],
        build: (g, x) => reduction.ReduceMin(g, x, 1),
        expected: tabulate([2, 1, 4], (a, _, c) => Math.min(...[0, 1, 2].map((b) => at(X, a, b, c)))),
      },
    ],
  });
});
