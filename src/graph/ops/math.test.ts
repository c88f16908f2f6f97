import { describe } from "vitest";
import { at, sum, tabulate, wave, type NdArray } from "../../../test/support/arrays.js";
import { testOperators, type OperatorCase } from "../../../test/support/graph.js";
import * as math from "./math.js";

const A = wave([2, 3]);
const B = wave([2, 3], 1);
/** One value a column, to be broadcast over the rows. */
const ROW = wave([3], 2);

/** Whole numbers, some of them equal. */
const ROUNDED = { shape: [2, 3], values: [1, 2, 3, 3, 2, 1] };
const ROUNDED_ROW = { shape: [3], values: [1, 2, 2] };

function perElement(
  build: OperatorCase["build"],
  formula: (a: number, b: number) => number,
  inputs: readonly NdArray[] = [A],
): OperatorCase {
  const [a = A, b = a] = inputs;
  const second = (i: number, j: number): number => (b.shape.length === 1 ? at(b, j) : at(b, i, j));
  return { inputs, build, expected: tabulate([2, 3], (i, j) => formula(at(a, i, j), second(i, j))) };
}

const channels = wave([3], 9);
const gelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const positive = tabulate([2, 3], (i, j) => 0.5 + i + j);
const left = wave([2, 3, 4]);
const right = wave([2, 4, 5], 1);
const weight = wave([5, 3], 3);
const longer = wave([5, 4], 5);
const bias = wave([5], 4);

function softmax(axis: 0 | 1): NdArray {
  const along = (i: number, j: number, k: number): number => Math.exp(axis === 0 ? at(A, k, j) : at(A, i, k));
  return tabulate([2, 3], (i, j) => Math.exp(at(A, i, j)) / sum(axis === 0 ? 2 : 3, (k) => along(i, j, k)));
}

describe("math operators follow their definitions", () => {
  testOperators<keyof typeof math>({
    Add: [perElement(math.Add, (a, b) => a + b, [A, B]), perElement(math.Add, (a, b) => a + b, [A, ROW])],
    Sub: [perElement(math.Sub, (a, b) => a - b, [A, B])],
    Mul: [perElement(math.Mul, (a, b) => a * b, [A, ROW])],
    Div: [perElement(math.Div, (a, b) => a / b, [A, positive])],
    Exp: [perElement(math.Exp, Math.exp)],
    Sqrt: [perElement(math.Sqrt, Math.sqrt, [positive])],
    Log: [perElement(math.Log, Math.log, [positive])],
    Sigmoid: [perElement(math.Sigmoid, (x) => 1 / (1 + Math.exp(-x)))],
    Relu: [perElement(math.Relu, (x) => Math.max(x, 0))],
    Min: [perElement(math.Min, Math.min, [A, B])],
    Max: [perElement(math.Max, Math.max, [A, B])],
    Equal: [
      perElement(
        (g, a, b) => math.Cast(g, math.Equal(g, a, b), "float32"),
        (a, b) => (a === b ? 1 : 0),
        [ROUNDED, ROUNDED_ROW],
      ),
    ],
    GreaterOrEqual: [
      perElement(
        (g, a, b) => math.Cast(g, math.GreaterOrEqual(g, a, b), "float32"),
        (a, b) => (a >= b ? 1 : 0),
        [ROUNDED, ROUNDED_ROW],
      ),
    ],
    Where: [
      perElement(
        (g, a, b) => math.Where(g, math.Equal(g, a, b), a, g.scalar(7)),
        (a, b) => (a === b ? a : 7),
        [ROUNDED, ROUNDED_ROW],
      ),
    ],
    Neg: [perElement(math.Neg, (x) => -x)],
    Abs: [perElement(math.Abs, Math.abs)],
    Round: [
      perElement(math.Round, Math.round),
      {
        inputs: [{ shape: [6], values: [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5] }],
        build: math.Round,
        expected: { shape: [6], values: [-2, -2, 0, 0, 2, 2] },
      },
    ],
    MatMul: [
      {
        inputs: [left, right],
        build: math.MatMul,
        expected: tabulate([2, 3, 5], (b, i, j) => sum(4, (k) => at(left, b, i, k) * at(right, b, k, j))),
      },
    ],
    Gemm: [
      {
        inputs: [A, weight, bias],
        build: math.Gemm,
        expected: tabulate([2, 5], (i, j) => at(bias, j) + sum(3, (k) => at(A, i, k) * at(weight, j, k))),
      },
    ],
    TransposedMatMul: [
      {
        inputs: [left, longer],
        build: math.TransposedMatMul,
        expected: tabulate([2, 3, 5], (b, i, j) => sum(4, (k) => at(left, b, i, k) * at(longer, j, k))),
      },
    ],
    Softmax: [
      { inputs: [A], build: (g, x) => math.Softmax(g, x), expected: softmax(1) },
      { inputs: [A], build: (g, x) => math.Softmax(g, x, 0), expected: softmax(0) },
    ],
    Clip: [
      perElement(
        (g, x) => math.Clip(g, x, -0.5, 0.25),
        (x) => Math.min(0.25, Math.max(-0.5, x)),
      ),
    ],
    FastGelu: [
      perElement((g, x) => math.FastGelu(g, x), gelu),
      {
        inputs: [A, channels],
        build: math.FastGelu,
        expected: tabulate([2, 3], (i, j) => gelu(at(A, i, j) + at(channels, j))),
      },
    ],
    Silu: [perElement(math.Silu, (x) => x / (1 + Math.exp(-x)))],
    Cast: [
      {
        ...perElement((g, x) => math.Cast(g, x, "int32"), Math.trunc, [tabulate([2, 3], (i, j) => 2.75 * i - 1.5 * j)]),
        type: "int32",
      },
    ],
  });
});
