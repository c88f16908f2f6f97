import { describe, expect, it } from "vitest";
import { wave } from "../../../test/support/arrays.js";
import { runGraph, runModel, storedTensor } from "../../../test/support/graph.js";
import { GraphBuilder } from "../../graph/builder.js";
import * as op from "../../graph/ops/index.js";
import type { Tensors } from "../../runtime/session.js";
import { float32, int64, values, type Tensor } from "../../runtime/tensor.js";
import { lookupIn } from "../lookup.js";
import { buildStep } from "./graph.js";

const [CHANNELS, ROWS, WIDTH] = [3, 4, 5];
const WEIGHT = storedTensor("conv.conv.weight", wave([2, CHANNELS, 3, 3], 1));
const BIAS = storedTensor("conv.conv.bias", wave([2], 2));

const map = (rows: number, phase: number): Tensor =>
  float32(Float32Array.from(wave([1, CHANNELS, rows, WIDTH], phase).values), [1, CHANNELS, rows, WIDTH]);

describe("doubling and convolving in one", () => {
  const x = map(ROWS, 3);
  const step = { conv: "conv", into: CHANNELS, out: 2, size: "double", adds: false, clips: false } as const;
  const tensors = new Map([WEIGHT, BIAS].map((tensor) => [tensor.name, tensor]));

  async function inOne(split: number): Promise<Tensors> {
    const edges = { above: x, below: x, inside: float32(Float32Array.of(0, 0), [2]) };
    const model = await buildStep(step, lookupIn(tensors, "memory"), false);
    return runModel(model, { x, ...edges, split: int64([split], [1]) });
  }

  it("gives what they give one after the other", async () => {
    const g = new GraphBuilder("one after the other");
    const large = op.UpsampleNearest(g, g.input("x", "float32", [1, CHANNELS, ROWS, WIDTH]), 2);
    const y = op.Conv(g, large, g.weight(WEIGHT), g.weight(BIAS), { padding: 1 });
    g.output("y", y, "float32", [1, 2, 2 * ROWS, 2 * WIDTH]);
    const { y: expected } = await runGraph(g, { x });
    const { y: found } = await inOne(2 * ROWS);
    expect(found!.dims).toEqual(expected!.dims);
    // 27 products below 1: sums of weights are rounded once more than the weights.
    values(found!).forEach((value, i) => expect(value).toBeCloseTo(values(expected!)[i]!, 5));
  });

  it("cuts the result where it is told to", async () => {
    const [whole, cut] = [await inOne(2 * ROWS), await inOne(3)];
    const row = 2 * WIDTH;
    const rows = (channel: number, from: number, to: number): Float32Array =>
      values(whole.y!).subarray((channel * 2 * ROWS + from) * row, (channel * 2 * ROWS + to) * row);
    expect([whole.rest!.dims, cut.y!.dims, cut.rest!.dims]).toEqual([
      [1, 2, 0, row],
      [1, 2, 3, row],
      [1, 2, 2 * ROWS - 3, row],
    ]);
    expect([...values(cut.y!)]).toEqual([...rows(0, 0, 3), ...rows(1, 0, 3)]);
    expect([...values(cut.rest!)]).toEqual([...rows(0, 3, 2 * ROWS), ...rows(1, 3, 2 * ROWS)]);
  });
});
