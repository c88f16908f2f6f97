import { describe, expect, it } from "vitest";
import { at, tabulate, wave } from "../../../test/support/arrays.js";
import { runGraph, testOperators } from "../../../test/support/graph.js";
import { float32, values } from "../../runtime/tensor.js";
import { GraphBuilder } from "../builder.js";
import * as shape from "./shape.js";

const X = wave([2, 3, 4]);
const Y = wave([2, 5, 4], 1);
/** The same values, seen in another shape. */
const seenAs = (...axes: number[]) => ({ shape: axes, values: X.values });

describe("shape operators follow their definitions", () => {
  testOperators<keyof typeof shape>({
    Reshape: [{ inputs: [X], build: (g, x) => shape.Reshape(g, x, [0, -1, 2]), expected: seenAs(2, 6, 2) }],
    Shape: [{ inputs: [X], build: shape.Shape, expected: { shape: [3], values: [2, 3, 4] }, type: "int64" }],
    Flatten: [{ inputs: [X], build: (g, x) => shape.Flatten(g, x, 2), expected: seenAs(6, 4) }],
    ReshapeTo: [{ inputs: [X], build: (g, x) => shape.ReshapeTo(g, x, g.ints([4, 6])), expected: seenAs(4, 6) }],
    Transpose: [
      {
        inputs: [X],
        build: (g, x) => shape.Transpose(g, x, [2, 0, 1]),
        expected: tabulate([4, 2, 3], (c, a, b) => at(X, a, b, c)),
      },
    ],
    Concat: [
      {
        inputs: [X, Y],
        build: (g, x, y) => shape.Concat(g, [x, y], 1),
        expected: tabulate([2, 8, 4], (a, b, c) => (b < 3 ? at(X, a, b, c) : at(Y, a, b - 3, c))),
      },
    ],
    Slice: [
      {
        inputs: [X],
        build: (g, x) => shape.Slice(g, x, 2, 1, 3),
        expected: tabulate([2, 3, 2], (a, b, c) => at(X, a, b, c + 1)),
      },
      {
        inputs: [X],
        build: (g, x) => shape.Slice(g, x, 1, g.ints([1]), g.ints([3])),
        expected: tabulate([2, 2, 4], (a, b, c) => at(X, a, b + 1, c)),
      },
    ],
    SliceTo: [
      {
        inputs: [X],
        build: (g, x) => shape.SliceTo(g, x, g.ints([1, 0]), g.ints([2, 2])),
        expected: tabulate([1, 2, 4], (a, b, c) => at(X, a + 1, b, c)),
      },
    ],
    Split: [
      {
        inputs: [X],
        build: (g, x) => shape.Split(g, x, 2, [1, 3])[1]!,
        expected: tabulate([2, 3, 3], (a, b, c) => at(X, a, b, c + 1)),
      },
    ],
    Gather: [
      {
        inputs: [X],
        build: (g, x) => shape.Gather(g, x, g.ints([1, 0, 1])),
        expected: tabulate([3, 3, 4], (a, b, c) => at(X, a === 1 ? 0 : 1, b, c)),
      },
      {
        inputs: [X],
        build: (g, x) => shape.Gather(g, x, g.ints([2]), 1),
        expected: tabulate([2, 1, 4], (a, _, c) => at(X, a, 2, c)),
      },
    ],
    GatherElements: [
      {
        inputs: [X],
        build: (g, x) =>
          shape.GatherElements(g, x, g.constant("int64", [1, 1, 4], BigInt64Array.of(2n, 0n, 1n, 2n)), 1),
        expected: tabulate([1, 1, 4], (a, _, c) => at(X, a, [2, 0, 1, 2][c]!, c)),
      },
    ],
    Unsqueeze: [{ inputs: [X], build: (g, x) => shape.Unsqueeze(g, x, [0, 3]), expected: seenAs(1, 2, 3, 1, 4) }],
    Squeeze: [
      {
        inputs: [{ shape: [1, 24, 1, 1], values: X.values }],
        build: (g, x) => shape.Squeeze(g, x, [0, 2]),
        expected: seenAs(24, 1),
      },
    ],
    Expand: [
      {
        inputs: [{ shape: [1, 3], values: [4, 5, 6] }],
        build: (g, x) => shape.Expand(g, x, g.ints([2, 1, 1])),
        expected: tabulate([2, 1, 3], (_, __, c) => 4 + c),
      },
    ],
    Range: [
      {
        inputs: [X],
        build: (g, x) => shape.Range(g, shape.Squeeze(g, shape.Slice(g, shape.Shape(g, x), 0, 2, 3), [0])),
        expected: { shape: [4], values: [0, 1, 2, 3] },
        type: "int64",
      },
    ],
    Pad: [
      {
        inputs: [X],
        build: (g, x) => shape.Pad(g, x, [0, 1, 0], [0, 0, 2]),
        expected: tabulate([2, 4, 6], (a, b, c) => (b === 0 || c > 3 ? 0 : at(X, a, b - 1, c))),
      },
    ],
  });
});

describe("Split", () => {
  it("gives as many values as lengths", async () => {
    const g = new GraphBuilder("split");
    const parts = shape.Split(g, g.input("x", "float32", [6]), 0, [1, 2, 3]);
    parts.forEach((part, i) => {
      g.output(`part_${i}`, part, "float32", [i + 1]);
    });
    const found = await runGraph(g, { x: float32(Float32Array.of(1, 2, 3, 4, 5, 6), [6]) });
    expect([0, 1, 2].map((i) => [...values(found[`part_${i}`]!)])).toEqual([[1], [2, 3], [4, 5, 6]]);
  });
});
