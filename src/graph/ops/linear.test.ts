import { describe, expect, it } from "vitest";
import { at, sum, tabulate, wave, type NdArray } from "../../../test/support/arrays.js";
import { noise as randomNumbers } from "../../../test/support/cache.js";
import { runGraph, storedTensor, testOperators } from "../../../test/support/graph.js";
import { probeTarget } from "../../runtime/probe.js";
import { float32, values } from "../../runtime/tensor.js";
import { GraphBuilder, type Matrix } from "../builder.js";
import { CPU_TARGET, type GraphTarget, type WeightType } from "../model.js";
import * as linear from "./linear.js";

const X = wave([2, 3, 4]);
const WEIGHT = wave([5, 4], 1);
const BIAS = wave([5], 2);
const product = (row: number, token: number, out: number): number =>
  sum(4, (i) => at(X, row, token, i) * at(WEIGHT, out, i));

describe("linear layers act on the last axis and keep the others", () => {
  testOperators<keyof typeof linear>({
    Linear: [CPU_TARGET, { ...CPU_TARGET, loops: false }].flatMap((target) => [
      {
        inputs: [X, WEIGHT, BIAS],
        build: (g, x, weight, bias) => linear.Linear(g, x, weight, bias),
        expected: tabulate([2, 3, 5], (row, token, out) => product(row, token, out) + at(BIAS, out)),
        target,
      },
      {
        inputs: [X, WEIGHT],
        build: (g, x, weight) => linear.Linear(g, x, weight),
        expected: tabulate([2, 3, 5], product),
        target,
      },
    ]),
  });
});

const HALVES: GraphTarget = { ...CPU_TARGET, halves: true };
/** Levels as they are exact on any processor, and as they are on this one. */
const UNSIGNED: GraphTarget = { ...CPU_TARGET, unsignedLevels: true };
const HERE = await probeTarget("cpu", "w8a8");

interface MatrixCase {
  readonly type: WeightType;
  readonly tolerance: number;
  readonly target?: GraphTarget;
}

const CASES: readonly MatrixCase[] = [
  // Roundings to float16, 2⁻¹² of every number; a processor adds up in float32.
  { type: "fp16", tolerance: 1e-3 },
  // 8-bit levels of weight and product: 1/127 of the largest of a block at most, averaged out over 300 terms.
  { type: "q8", tolerance: 0.02 },
  { type: "q8", tolerance: 0.02, target: HALVES },
  // Levels of outputs and tokens: 1/127 of the largest of 300.
  { type: "w8a8", tolerance: 0.02, target: HERE },
  { type: "w8a8", tolerance: 0.02, target: UNSIGNED },
  // 4-bit levels: 1/7.
  { type: "q4", tolerance: 0.2 },
  { type: "q4", tolerance: 0.2, target: HALVES },
];

describe.each(CASES)("a $type matrix", ({ type, tolerance, target = CPU_TARGET }) => {
  const [weight, x, bias] = [noise([37, 300], 1), noise([2, 5, 300], 2), noise([37], 3)];

  it("multiplies as the matrix it stands for", async () => {
    const g = new GraphBuilder("linear", target, type);
    const input = g.input("x", "float32", [2, 5, 300]);
    const matrix = g.matrix(storedTensor("w", weight));
    g.output("y", linear.Linear(g, input, matrix, g.weight(storedTensor("b", bias))), "float32", [2, 5, 37]);
    const { y } = await runGraph(g, { x: float32(Float32Array.from(x.values), x.shape) });
    const expected = tabulate(
      [2, 5, 37],
      (row, token, out) => sum(300, (i) => at(x, row, token, i) * at(weight, out, i)) + at(bias, out),
    );
    const difference = values(y!).map((value, i) => Math.abs(value - expected.values[i]!));
    const length = (all: ArrayLike<number>): number => Math.hypot(...Array.from(all));
    expect(length(difference) / length(expected.values)).toBeLessThan(tolerance);
    expect(length(difference)).toBeGreaterThan(0);
  });
});

describe("in float16", () => {
  /** 0.1 · 0.1, by two layers whose hidden number stays in the type of their product, or does not. */
  async function twice(types: WeightType, hidden: boolean): Promise<number> {
    const g = new GraphBuilder("linear", CPU_TARGET, types);
    const tenth = (name: string): Matrix => g.matrix(storedTensor(name, { shape: [1, 1], values: [0.1] }));
    const x = g.input("x", "float32", [1, 1, 1]);
    const inside = linear.Linear(g, x, tenth("a"), undefined, { yInWork: hidden });
    g.output("y", linear.Linear(g, inside, tenth("b"), undefined, { xInWork: hidden }), "float32", [1, 1, 1]);
    const { y } = await runGraph(g, { x: float32(Float32Array.of(1), [1, 1, 1]) });
    return values(y!)[0]!;
  }

  it("rounds the matrices, and gives the same whether or not a result stays in that type", async () => {
    // The float16 next to 0.1; a processor multiplies in float32.
    const square = Math.fround(0.0999755859375 ** 2);
    expect([await twice("fp16", true), await twice("fp16", false)]).toEqual([square, square]);
    expect(await twice("fp32", true)).toBe(Math.fround(Math.fround(0.1) * Math.fround(0.1)));
  });

  it("cuts matrices into blocks of 32, which alone ONNX Runtime multiplies on a GPU's matrix units", () => {
    const tensor = storedTensor("w", noise([2, 300], 1));
    const blockOf = (target: GraphTarget): unknown => new GraphBuilder("linear", target, "q8").matrix(tensor);
    expect(blockOf(HALVES)).toMatchObject({ block: 32 });
    expect(blockOf(CPU_TARGET)).toMatchObject({ block: 128 });
  });
});

describe("a matrix in w8a8", () => {
  /** Products of `x` [1, tokens, 40]. */
  async function products(x: Float32Array, options?: linear.LinearOptions, target = HERE): Promise<Float32Array> {
    const g = new GraphBuilder("linear", target, "w8a8");
    const shape = [1, x.length / 40, 40];
    const input = g.input("x", "float32", shape);
    const matrix = g.matrix(storedTensor("w", noise([7, 40], 1)));
    g.output("y", linear.Linear(g, input, matrix, undefined, options), "float32", [1, shape[1]!, 7]);
    const { y } = await runGraph(g, { x: float32(x, shape) });
    return values(y!);
  }

  it("gives the same to the bit whether its levels are signed or not", async () => {
    // Below zero a token's levels are at most 128, and no processor cuts the sum of two products of such off.
    const x = Float32Array.from(noise([40], 2).values, (value) => -Math.abs(value));
    expect(await products(x, {}, UNSIGNED)).toEqual(await products(x, {}, CPU_TARGET));
  });

  it("gives a token the same whatever the others are", async () => {
    const token = Float32Array.from(noise([40], 2).values);
    const large = token.map((value) => 1000 * value);
    const [alone, beside] = [await products(token), await products(Float32Array.of(...large, ...token))];
    expect(beside.subarray(7)).toEqual(alone);
  });

  it("cuts a token no finer than its least possible number asks for", async () => {
    const token = Float32Array.from(noise([40], 2).values, (value) => Math.max(value, -0.17));
    const small = token.map((value) => value / 10);
    expect(Math.max(...token)).toBeGreaterThan(0.17);
    expect(await products(token, { xLeast: -0.17 })).toEqual(await products(token));
    const [coarse, fine] = [await products(small, { xLeast: -0.17 }), await products(small)];
    // A level is 0.17 / 127, of which half is lost at most; the weights are below 1.
    expect(coarse.map((value, i) => Math.abs(value - fine[i]!)).every((off) => off < 40 * (0.17 / 127))).toBe(true);
    expect(coarse).not.toEqual(fine);
  });

  it("gives zeros for a token of zeros", async () => {
    expect(Array.from(await products(new Float32Array(40)))).toEqual(new Array<number>(7).fill(0));
  });
});

/** Values between −1 and 1 that look random. */
function noise(shape: number[], seed: number): NdArray {
  return {
    shape,
    values: Array.from(
      randomNumbers(
        shape.reduce((a, b) => a * b, 1),
        seed,
      ),
    ),
  };
}
