import { describe } from "vitest";
import { at, sum, tabulate, wave } from "../../../test/support/arrays.js";
import { testOperators } from "../../../test/support/graph.js";
import * as linear from "./linear.js";

const X = wave([2, 3, 4]);
const WEIGHT = wave([5, 4], 1);
const BIAS = wave([5], 2);
const product = (row: number, token: number, out: number): number =>
  sum(4, (i) => at(X, row, token, i) * at(WEIGHT, out, i));

describe("linear layers act on the last axis and keep the others", () => {
  testOperators<keyof typeof linear>({
    Linear: [
      {
        inputs: [X, WEIGHT, BIAS],
        build: linear.Linear,
        expected: tabulate([2, 3, 5], (row, token, out) => product(row, token, out) + at(BIAS, out)),
      },
      { inputs: [X, WEIGHT], build: linear.Linear, expected: tabulate([2, 3, 5], product) },
    ],
  });
});
