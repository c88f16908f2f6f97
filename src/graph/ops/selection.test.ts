import { describe } from "vitest";
import { at, sum, tabulate, wave, type NdArray } from "../../../test/support/arrays.js";
import { testOperators } from "../../../test/support/graph.js";
import * as selection from "./selection.js";

const X = wave([2, 3, 7]);
/** A sequence shorter than the kernel of 5. */
const SHORT = wave([2, 1, 2], 1);
/** Plateaus, as pooling makes them. */
const TIES: NdArray = { shape: [2, 6], values: [1, 4, 4, 0, 4, 1, -2, -2, -2, -2, -2, -3] };

/** The `size` neighbours of a place, itself in the middle; those beyond the ends are missing. */
function neighbours(x: NdArray, size: number, batch: number, channel: number, place: number): number[] {
  const places = Array.from({ length: size }, (_, i) => place - (size - 1) / 2 + i);
  return places.filter((i) => i >= 0 && i < x.shape[2]!).map((i) => at(x, batch, channel, i));
}

function largest(x: NdArray, size: number): NdArray {
  return tabulate(x.shape, (...place) => Math.max(...neighbours(x, size, place[0]!, place[1]!, place[2]!)));
}

/** Divides by the kernel's size at the ends too: what is missing there counts as zero. */
function mean(x: NdArray, size: number): NdArray {
  return tabulate(x.shape, (...place) => {
    const near = neighbours(x, size, place[0]!, place[1]!, place[2]!);
    return sum(near.length, (i) => near[i]!) / size;
  });
}

describe("selection operators follow their definitions", () => {
  testOperators<keyof typeof selection>({
    MaxPool: [
      { inputs: [X], build: (g, x) => selection.MaxPool(g, x, 5), expected: largest(X, 5) },
      { inputs: [X], build: (g, x) => selection.MaxPool(g, x, 1), expected: X },
      { inputs: [SHORT], build: (g, x) => selection.MaxPool(g, x, 5), expected: largest(SHORT, 5) },
    ],
    AveragePool: [
      { inputs: [X], build: (g, x) => selection.AveragePool(g, x, 3), expected: mean(X, 3) },
      { inputs: [SHORT], build: (g, x) => selection.AveragePool(g, x, 5), expected: mean(SHORT, 5) },
    ],
    TopK: [
      {
        inputs: [TIES],
        build: (g, x) => selection.TopK(g, x, g.ints([4])).values,
        expected: { shape: [2, 4], values: [4, 4, 4, 1, -2, -2, -2, -2] },
      },
      {
        inputs: [TIES],
        build: (g, x) => selection.TopK(g, x, g.ints([4])).indices,
        expected: { shape: [2, 4], values: [1, 2, 4, 0, 0, 1, 2, 3] },
        type: "int64",
      },
      {
        inputs: [{ shape: [1, 5], values: [-Infinity, -2e38, 1, -Infinity, -3] }],
        build: (g, x) => selection.TopK(g, x, g.ints([4])).indices,
        expected: { shape: [1, 4], values: [2, 4, 0, 1] },
        type: "int64",
      },
      // Half of a long plateau: a selection that does not sort it all must take the first ones too.
      {
        inputs: [tabulate([1, 200], () => 1)],
        build: (g, x) => selection.TopK(g, x, g.ints([100])).indices,
        expected: tabulate([1, 100], (_, i) => i),
        type: "int64",
      },
    ],
    Sort: [
      {
        inputs: [TIES],
        build: (g, x) => selection.Sort(g, x, g.ints([6])),
        expected: { shape: [2, 6], values: [0, 1, 1, 4, 4, 4, -3, -2, -2, -2, -2, -2] },
      },
    ],
  });
});
