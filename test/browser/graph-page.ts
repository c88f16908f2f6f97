/** Runs in the page: one linear layer, its weights in a file that is kept in memory. */
import { bytesSource } from "../../src/checkpoint/source.js";
import { rowMajorStrides, type DType, type StoredTensor } from "../../src/checkpoint/tensor.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { WeightType } from "../../src/graph/model.js";
import { Add, FastGelu, Linear, TopK } from "../../src/graph/ops/index.js";
import type { Device } from "../../src/runtime/device.js";
import { probeTarget } from "../../src/runtime/probe.js";
import { Session } from "../../src/runtime/session.js";
import { float32, values } from "../../src/runtime/tensor.js";

declare global {
  interface Window {
    /** gelu(x · weightᵀ) + x for x = 1 … 4 and a weight of halves, [1, 2, 2]. */
    runLayer(device: Device, dtype: DType): Promise<number[]>;
    /** x · weightᵀ with the weight held as `type` says; x is [1, rows, columns], the weight [outputs, columns]. */
    runLevels(device: Device, type: Exclude<WeightType, "fp32">, x: number[][], weight: number[][]): Promise<number[]>;
    /** Where the `count` largest numbers lie. */
    runTopK(device: Device, numbers: number[], count: number): Promise<number[]>;
    /** What comes of asking whether the adapter takes float16 weights: nothing, or the error's name and message. */
    probeHalves(): Promise<string>;
  }
}

/** [[0.5, −0.5], [1, 2]] in three types, all exact: the bits of IEEE halves, and the upper halves of float32s. */
const WEIGHT: Readonly<Partial<Record<DType, Float32Array | Uint16Array>>> = {
  f32: Float32Array.of(0.5, -0.5, 1, 2),
  f16: Uint16Array.of(0x3800, 0xb800, 0x3c00, 0x4000),
  bf16: Uint16Array.of(0x3f00, 0xbf00, 0x3f80, 0x4000),
};

function stored(dtype: DType): StoredTensor {
  const source = bytesSource("memory", new Uint8Array(WEIGHT[dtype]!.buffer));
  const shape = [2, 2];
  return { name: "w", dtype, shape, strides: rowMajorStrides(shape), source, offset: 0 };
}

window.runLayer = async (device, dtype) => {
  const g = new GraphBuilder("layer");
  const x = g.input("x", "float32", ["rows", "tokens", 2]);
  const y = Add(g, FastGelu(g, Linear(g, x, g.weight(stored(dtype)))), x);
  g.output("y", y, "float32", ["rows", "tokens", 2]);
  const session = await Session.create(await g.build(), { device });
  const result = await session.run({ x: float32(Float32Array.of(1, 2, 3, 4), [1, 2, 2]) });
  await session.dispose();
  return Array.from(values(result.y!));
};

window.runLevels = async (device, type, x, weight) => {
  const target = type === "w8a8" ? await probeTarget(device, type) : undefined;
  const g = new GraphBuilder("levels", target, type);
  const [rows, columns] = [x.length, x[0]!.length];
  const source = bytesSource("memory", new Uint8Array(Float32Array.from(weight.flat()).buffer));
  const shape = [weight.length, columns];
  const tensor: StoredTensor = { name: "w", dtype: "f32", shape, strides: rowMajorStrides(shape), source, offset: 0 };
  const input = g.input("x", "float32", [1, rows, columns]);
  g.output("y", Linear(g, input, g.matrix(tensor)), "float32", [1, rows, weight.length]);
  const session = await Session.create(await g.build(), { device });
  const result = await session.run({ x: float32(Float32Array.from(x.flat()), [1, rows, columns]) });
  await session.dispose();
  return Array.from(values(result.y!));
};

window.runTopK = async (device, numbers, count) => {
  const g = new GraphBuilder("choice");
  const x = g.input("x", "float32", [1, numbers.length]);
  g.output("places", TopK(g, x, g.ints([count])).indices, "int64", [1, count]);
  const session = await Session.create(await g.build(), { device });
  const result = await session.run({ x: float32(Float32Array.from(numbers), [1, numbers.length]) });
  await session.dispose();
  return Array.from(result.places!.data as BigInt64Array, Number);
};

window.probeHalves = async () => {
  try {
    return JSON.stringify(await probeTarget("webgpu", "fp16"));
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
};
