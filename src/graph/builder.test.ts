import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { at, sum, tabulate, wave, type NdArray } from "../../test/support/arrays.js";
import { runGraph, storedTensor } from "../../test/support/graph.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { openFile } from "../checkpoint/file-source.js";
import { openCheckpoint } from "../checkpoint/open.js";
import { bytesSource, type ByteSource } from "../checkpoint/source.js";
import { sliceRows, type DType, type StoredTensor } from "../checkpoint/tensor.js";
import { writeSafetensors } from "../checkpoint/write-safetensors.js";
import { float32, values } from "../runtime/tensor.js";
import { GraphBuilder } from "./builder.js";
import * as op from "./ops/index.js";

/** Multiples of 1/8 between −3 and 3: exact in every float type, and so are their sums. */
const eighths = (shape: readonly number[], step: number): NdArray => {
  let i = 0;
  return tabulate(shape, () => (((i++ * step) % 49) - 24) / 8);
};

const WEIGHT = eighths([4, 3], 11);

/** The values of a weight as a session sees them: the graph adds them to zeros. */
async function seenBySession(...weights: readonly StoredTensor[]): Promise<number[][]> {
  const g = new GraphBuilder("weights");
  weights.forEach((tensor, i) => {
    const zeros = g.input(`zeros_${i}`, "float32", tensor.shape);
    g.output(`sum_${i}`, op.Add(g, zeros, g.weight(tensor)), "float32", tensor.shape);
  });
  const zeros = weights.map(({ shape }, i) => {
    const count = shape.reduce((a, b) => a * b, 1);
    return [`zeros_${i}`, float32(new Float32Array(count), shape)] as const;
  });
  const found = await runGraph(g, Object.fromEntries(zeros));
  return weights.map((_, i) => [...values(found[`sum_${i}`]!)]);
}

/** Upper halves of float32, or float16 for values that are exact in it. */
const ENCODE: Readonly<Record<"f32" | "f16" | "bf16", (value: number) => number[]>> = {
  f32: (value) => [...new Uint8Array(Float32Array.of(value).buffer)],
  bf16: (value) => [...new Uint8Array(Float32Array.of(value).buffer)].slice(2),
  f16: (value) => {
    if (value === 0) return [0, 0];
    const exponent = Math.floor(Math.log2(Math.abs(value)));
    const fraction = (Math.abs(value) / 2 ** exponent - 1) * 1024;
    const word = (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
    return [word & 0xff, word >> 8];
  },
};

/** Some bytes that are not the tensor's, so that it begins at an odd byte, then the tensor. */
function encoded(dtype: keyof typeof ENCODE): Uint8Array {
  return Uint8Array.from([0xff, 0xff, 0xff, ...WEIGHT.values.flatMap(ENCODE[dtype])]);
}

function weightAt(source: ByteSource, dtype: DType, change: Partial<StoredTensor> = {}): StoredTensor {
  return { name: "weight", dtype, shape: WEIGHT.shape, strides: [3, 1], source, offset: 3, ...change };
}

describe("weights of a graph", () => {
  it("are mapped from the file a checkpoint was written to", () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, "model.safetensors");
      const bias = eighths([4], 5);
      const writable = ({ shape, values: data }: NdArray) => ({ shape, data: Float32Array.from(data) });
      await writeSafetensors(file, Object.entries({ weight: writable(WEIGHT), bias: writable(bias) }));
      const { tensors, sources } = await openCheckpoint(file);
      const g = new GraphBuilder("linear");
      const x = g.input("x", "float32", ["rows", "tokens", 3]);
      const y = op.Linear(g, x, g.weight(tensors.get("weight")!), g.weight(tensors.get("bias")!));
      g.output("y", y, "float32", ["rows", "tokens", 4]);
      const model = await g.build();
      expect(model.data.byteLength).toBe(0);
      expect(model.weightBytes).toBe((12 + 4) * 4);
      expect(model.folder).toBe(sources[0]?.path?.replace("/model.safetensors", ""));

      const input = eighths([2, 5, 3], 7);
      const found = await runGraph(g, { x: float32(Float32Array.from(input.values), input.shape) });
      const expected = tabulate(
        [2, 5, 4],
        (row, token, out) => at(bias, out) + sum(3, (i) => at(input, row, token, i) * at(WEIGHT, out, i)),
      );
      expect([...values(found.y!)]).toEqual(expected.values);
      await sources[0]?.close();
    }));

  it.each(["f32", "f16", "bf16"] as const)("of type %s are the same from a file and from memory", (dtype) =>
    inTemporaryFolder(async (folder) => {
      const path = join(folder, "weights.bin");
      await writeFile(path, encoded(dtype));
      const file = await openFile(path);
      const inFile = weightAt(file, dtype, { name: "in file" });
      const inMemory = weightAt(bytesSource("memory", encoded(dtype)), dtype, { name: "in memory" });
      // By themselves the ones are mapped; with others beside them they are gathered.
      expect(await seenBySession(inFile)).toEqual([WEIGHT.values]);
      expect(await seenBySession(inMemory)).toEqual([WEIGHT.values]);
      expect(await seenBySession(inFile, inMemory)).toEqual([WEIGHT.values, WEIGHT.values]);
      await file.close();
    }),
  );

  it("may be views: transposed, with gaps, or some rows of a matrix", () =>
    inTemporaryFolder(async (folder) => {
      const path = join(folder, "weights.bin");
      await writeFile(path, encoded("bf16"));
      const file = await openFile(path);
      const whole = weightAt(file, "bf16");
      const transposed = weightAt(file, "bf16", { name: "transposed", shape: [3, 4], strides: [1, 3] });
      const column = weightAt(file, "bf16", { name: "column", shape: [4, 1], strides: [3, 1], offset: 3 + 2 });
      const rows = [sliceRows(whole, 0, 1), sliceRows(whole, 1, 4)];
      expect(await seenBySession(...rows)).toEqual([WEIGHT.values.slice(0, 3), WEIGHT.values.slice(3)]);
      expect(await seenBySession(transposed, column, ...rows)).toEqual([
        tabulate([3, 4], (i, j) => at(WEIGHT, j, i)).values,
        tabulate([4, 1], (i) => at(WEIGHT, i, 1)).values,
        WEIGHT.values.slice(0, 3),
        WEIGHT.values.slice(3),
      ]);
      await file.close();
    }));

  it("may lie in several folders and in memory at once", () =>
    inTemporaryFolder(async (folder) => {
      const files = ["a/one.bin", "b/c/two.bin"].map((path) => join(folder, path));
      for (const path of files) {
        await mkdir(join(path, ".."), { recursive: true });
        await writeFile(path, encoded("f16"));
      }
      const sources = await Promise.all(files.map(openFile));
      const stored = sources.map((source, i) => weightAt(source, "f16", { name: `file ${i}` }));
      const both = [WEIGHT.values, WEIGHT.values];
      expect(await seenBySession(...stored)).toEqual(both);
      expect(await seenBySession(...stored, storedTensor("memory", wave([5])))).toEqual([...both, wave([5]).values]);
      await Promise.all(sources.map((source) => source.close()));
    }));

  it("are one value however often they are asked for, and counted once", async () => {
    const g = new GraphBuilder("twice");
    const tensor = weightAt(bytesSource("memory", encoded("f16")), "f16");
    const weight = g.weight(tensor);
    expect(g.weight(tensor)).toBe(weight);
    g.output("y", op.Add(g, weight, weight), "float32", WEIGHT.shape);
    expect((await g.build()).weightBytes).toBe(12 * 4);
    expect([...values((await runGraph(g)).y!)]).toEqual(WEIGHT.values.map((value) => 2 * value));
  });
});

describe("values of a graph", () => {
  it("can be an output and feed another node", async () => {
    const g = new GraphBuilder("chain");
    const x = g.input("x", "float32", [2]);
    const double = op.Add(g, x, x);
    g.output("double", double, "float32", [2]);
    g.output("fourfold", op.Add(g, double, double), "float32", [2]);
    const found = await runGraph(g, { x: float32(Float32Array.of(1, 2), [2]) });
    expect([...values(found.double!)]).toEqual([2, 4]);
    expect([...values(found.fourfold!)]).toEqual([4, 8]);
  });

  it("can be constants of every kind", async () => {
    const g = new GraphBuilder("constants");
    const ints = op.Cast(g, g.ints([-5, 7]), "float32");
    const bytes = op.Cast(g, g.constant("uint8", [2], Uint8Array.of(1, 255)), "float32");
    const words = op.Cast(g, g.constant("int32", [2], Int32Array.of(-1, 2)), "float32");
    const all = op.Concat(g, [ints, bytes, words, g.constant("float32", [1], Float32Array.of(0.5))], 0);
    g.output("y", op.Mul(g, all, g.scalar(2)), "float32", [7]);
    expect([...values((await runGraph(g)).y!)]).toEqual([-10, 14, 2, 510, -2, 4, 1]);
  });

  it("leave an optional input out where it is undefined", async () => {
    const g = new GraphBuilder("optional");
    const [clipped] = g.node("Clip", [g.input("x", "float32", [3]), undefined, g.scalar(1)]);
    g.output("y", clipped, "float32", [3]);
    const { y } = await runGraph(g, { x: float32(Float32Array.of(-9, 0, 9), [3]) });
    expect([...values(y!)]).toEqual([-9, 0, 1]);
  });
});

describe("scan", () => {
  it("works on one entry after another, knows what was made before, and joins what comes of them", async () => {
    const g = new GraphBuilder("scan");
    const [x, y] = [g.input("x", "float32", ["steps", 2]), g.input("y", "float32", ["steps", 3])];
    const total = g.shared("total", () => op.Squeeze(g, op.ReduceSum(g, x, 0), [0]));
    const [sums, doubles] = g.scan([x, y], 1, ([a, b]) => {
      expect(g.shared("total", () => a!)).toBe(total);
      g.shared("entry", () => a!);
      return [op.Add(g, a!, total), op.Add(g, b!, b!)];
    });
    // What an entry made is not to be had outside.
    expect(g.shared("entry", () => x)).toBe(x);
    g.output("sums", sums!, "float32", ["steps", 2]);
    g.output("doubles", doubles!, "float32", ["steps", 3]);
    const found = await runGraph(g, {
      x: float32(Float32Array.of(1, 2, 3, 4), [2, 2]),
      y: float32(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]),
    });
    expect([...values(found.sums!)]).toEqual([5, 8, 7, 10]);
    expect([...values(found.doubles!)]).toEqual([2, 4, 6, 8, 10, 12]);
  });
});
