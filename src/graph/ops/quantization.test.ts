import { describe } from "vitest";
import { at, sum, tabulate, type NdArray } from "../../../test/support/arrays.js";
import { testOperators } from "../../../test/support/graph.js";
import type { GraphBuilder, Value } from "../builder.js";
import * as quantization from "./quantization.js";

const X: NdArray = { shape: [2, 4], values: [-1, 0.24, 0.26, 0.5, -300, -10, 0, 300] };
const SCALES = [0.5, 2];
const ZERO = 128;

const levelAt = (row: number, column: number): number =>
  Math.min(255, Math.max(0, Math.round(at(X, row, column) / SCALES[row]!) + ZERO));

function levels(g: GraphBuilder, x: Value): Value {
  const zeros = g.constant("uint8", [2, 1], Uint8Array.of(ZERO, ZERO));
  return quantization.QuantizeLinear(g, x, g.constant("float32", [2, 1], Float32Array.from(SCALES)), zeros, 4);
}

/** [4, 3], −64 to 64: no processor cuts the sum of two products of such off. */
const WEIGHTS = [64, -64, 1, 2, 3, 64, -5, 6, -7, 64, 64, 0];

describe("levels of 8 bits", () => {
  testOperators<keyof typeof quantization>({
    QuantizeLinear: [{ inputs: [X], build: levels, expected: tabulate([2, 4], levelAt), type: "uint8" }],
    MatMulIntegerToFloat: [false, true].map((unsigned) => ({
      inputs: [X],
      build: (g, x) => {
        const weights = unsigned
          ? { values: g.constant("uint8", [4, 3], Uint8Array.from(WEIGHTS.map((level) => level + ZERO))), zero: ZERO }
          : { values: g.constant("int8", [4, 3], Int8Array.from(WEIGHTS)), zero: 0 };
        const scales = g.constant("float32", [3], Float32Array.of(1, 0.5, 0.25));
        return quantization.MatMulIntegerToFloat(g, { values: levels(g, x), zero: ZERO }, weights, scales);
      },
      expected: tabulate(
        [2, 3],
        (row, out) => sum(4, (i) => (levelAt(row, i) - ZERO) * WEIGHTS[3 * i + out]!) * [1, 0.5, 0.25][out]!,
      ),
    })),
  });
});
