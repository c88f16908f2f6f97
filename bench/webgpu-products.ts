/**
 * Products of a layer on WebGPU, matrix held in every way, and self-attention in both number types: the device's own time
 * by kernel, operations a second, and how far results are off from sums in double precision, as a part of their size.
 *
 *     node scripts/bench.mjs bench/webgpu-products.ts [--shapes 4096x2048x8192,4096x8192x2048] [--attention 16x4096x10521x128]
 *
 * A shape is tokens, channels in and channels out; attention is heads, queries, keys and channels of a head. `two q8` holds a
 * matrix as the sum of two in 8 bits, 16 bits in all.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readFloat32 } from "../src/checkpoint/read.js";
import { bytesSource } from "../src/checkpoint/source.js";
import { byteLength, rowMajorStrides, type StoredTensor } from "../src/checkpoint/tensor.js";
import { GraphBuilder, type Value } from "../src/graph/builder.js";
import type { GraphTarget, WeightType } from "../src/graph/model.js";
import * as op from "../src/graph/ops/index.js";
import { BLOCKS, inBlocks } from "../src/graph/quantize/blocks.js";
import { Session } from "../src/runtime/session.js";
import { float32, values, type Tensor } from "../src/runtime/tensor.js";
import { kernelTimes } from "./device-profile.js";
import { inTemporaryFolder } from "./temporary-folder.js";

const { values: flags } = parseArgs({
  options: {
    shapes: { type: "string", default: "4096x2048x8192,4096x8192x2048" },
    attention: { type: "string", default: "16x4096x10521x128" },
    device: { type: "string", default: "webgpu" },
  },
});
const device = flags.device as "webgpu" | "cpu";
const RUNS = 3;
/** Results that are computed again in double precision. */
const CHECKED = 200;

/** A way to hold a matrix. */
interface Form {
  readonly name: string;
  readonly weights: WeightType;
  readonly halves: boolean;
  readonly twice?: boolean;
}

const FORMS: readonly Form[] = [
  { name: "fp32", weights: "fp32", halves: false },
  { name: "fp16", weights: "fp16", halves: true },
  { name: "q8, tokens fp32", weights: "q8", halves: false },
  { name: "q8", weights: "q8", halves: true },
  { name: "two q8", weights: "q8", halves: true, twice: true },
  { name: "q4, tokens fp32", weights: "q4", halves: false },
  { name: "q4", weights: "q4", halves: true },
];

/** Normal random numbers, the same in every run. */
function normal(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return Float32Array.from({ length }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

function stored(name: string, data: Float32Array<ArrayBuffer>, shape: readonly number[]): StoredTensor {
  const source = bytesSource(name, new Uint8Array(data.buffer));
  return { name, dtype: "f32", shape, strides: rowMajorStrides(shape), source, offset: 0 };
}

/** What 8-bit blocks leave of a matrix. */
async function remainder(tensor: StoredTensor): Promise<StoredTensor> {
  const [rows = 0, columns = 0] = tensor.shape;
  const { levels, scales } = inBlocks(tensor, 8, BLOCKS.float16);
  const [own, level] = [await readFloat32(tensor), await levels.source.read(0, byteLength(levels))];
  const scale = await readFloat32(scales);
  const rest = own.map((value, i) => {
    const place = Math.floor(i / columns) * (scale.length / rows) + Math.floor((i % columns) / BLOCKS.float16);
    return value - (level[i]! - 128) * scale[place]!;
  });
  return stored("rest", rest, tensor.shape);
}

/** Runs a graph a few times: its result `y`, and a line about its kernels. */
async function measured(g: GraphBuilder, feeds: Record<string, Tensor>): Promise<{ y: Float32Array; seconds: number }> {
  const { y, times } = await inTemporaryFolder(async (folder) => {
    const session = await Session.create(await g.build(), { device, profile: join(folder, "graph-") });
    let y = new Float32Array(0);
    try {
      for (let i = 0; i < RUNS; i++) y = Float32Array.from(values((await session.run(feeds)).y!));
    } finally {
      await session.dispose();
    }
    return { y, times: await kernelTimes(folder, "graph-") };
  });
  const kernels = times.map(({ kernel, seconds }) => ({ kernel, least: Math.min(...seconds) }));
  const told = kernels.map(({ kernel, least }) => `${kernel} ${(1000 * least).toFixed(2)}`).join(", ");
  process.stdout.write(`    ms: ${told}\n`);
  return { y, seconds: kernels.reduce((sum, { least }) => sum + least, 0) };
}

function print(name: string, operations: number, seconds: number, off: number): void {
  const rate = (operations / seconds / 1e12).toFixed(2);
  console.log(`  ${name.padEnd(18)} ${(1000 * seconds).toFixed(2)} ms  ${rate} Tops/s  off ${off.toExponential(1)}`);
}

/** Root mean square of what results are off, over that of the exact ones, at some places. */
function errorOf(y: Float32Array, exactAt: (i: number) => number): number {
  const places = Array.from({ length: CHECKED }, (_, i) => Math.floor((i * 0.6180339887 * y.length) % y.length));
  const [off, size] = [Math.hypot(...places.map((i) => y[i]! - exactAt(i))), Math.hypot(...places.map(exactAt))];
  return off / size;
}

/** Tokens [m, k] and a matrix [n, k] whose products are about 1. */
interface Factors {
  readonly sizes: readonly number[];
  readonly x: Float32Array;
  readonly w: Float32Array<ArrayBuffer>;
}

function factorsOf(sizes: readonly number[]): Factors {
  const [m = 0, k = 0, n = 0] = sizes;
  return { sizes, x: normal(m * k, 1), w: normal(n * k, 2).map((value) => value / Math.sqrt(k)) };
}

async function product(form: Form, { sizes: [m = 0, k = 0, n = 0], x, w }: Factors): Promise<void> {
  const target: GraphTarget = { fusedAttention: true, loops: false, halves: form.halves };
  const g = new GraphBuilder("product", target, form.weights);
  const input = g.input("x", "float32", [1, m, k]);
  const matrix = stored("w", w, [n, k]);
  const first = op.Linear(g, input, g.matrix(matrix));
  const y = form.twice ? op.Add(g, first, op.Linear(g, input, g.matrix(await remainder(matrix)))) : first;
  g.output("y", y, "float32", [1, m, n]);
  const found = await measured(g, { x: float32(x, [1, m, k]) });
  const off = errorOf(found.y, (i) => {
    const [row, column] = [Math.floor(i / n) * k, (i % n) * k];
    let sum = 0;
    for (let j = 0; j < k; j++) sum += x[row + j]! * w[column + j]!;
    return sum;
  });
  print(form.name, 2 * m * k * n, found.seconds, off);
}

/** Queries of length 8, keys of length 1, as a head has them. */
async function attention(type: "float32" | "float16", [heads = 0, m = 0, s = 0, dim = 0]: number[]): Promise<void> {
  const unit = (tokens: number, seed: number, length: number): Float32Array =>
    normal(tokens * heads * dim, seed).map((value) => (value * length) / Math.sqrt(dim));
  const [q, k, v] = [unit(m, 1, 8), unit(s, 2, 1), normal(s * heads * dim, 3)];
  const g = new GraphBuilder("attention", { fusedAttention: true, loops: false });
  const input = (name: string, tokens: number): Value =>
    op.Cast(g, g.input(name, "float32", [1, tokens, heads * dim]), type);
  const read = op.MultiHeadAttention(g, input("q", m), input("k", s), input("v", s), { heads, scale: 1 });
  g.output("y", op.Cast(g, read, "float32"), "float32", [1, m, heads * dim]);
  const shape = (tokens: number): number[] => [1, tokens, heads * dim];
  const feeds = { q: float32(q, shape(m)), k: float32(k, shape(s)), v: float32(v, shape(s)) };
  const found = await measured(g, feeds);
  const off = errorOf(found.y, (i) => {
    const [token, channel] = [Math.floor(i / (heads * dim)), i % (heads * dim)];
    const start = channel - (channel % dim);
    let [sum, total] = [0, 0];
    for (let key = 0; key < s; key++) {
      let score = 0;
      for (let j = start; j < start + dim; j++) score += q[token * heads * dim + j]! * k[key * heads * dim + j]!;
      const weight = Math.exp(score);
      sum += weight * v[key * heads * dim + channel]!;
      total += weight;
    }
    return sum / total;
  });
  print(`attention ${type}`, 4 * heads * m * s * dim, found.seconds, off);
}

/** Does a measurement; what goes wrong with it is told in its place. */
async function tried(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    console.log(`  ${name}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
  }
}

for (const shape of flags.shapes.split(",").filter(Boolean)) {
  console.log(`${shape}, ${device}`);
  const factors = factorsOf(shape.split("x").map(Number));
  for (const form of FORMS) await tried(form.name, () => product(form, factors));
}
for (const shape of flags.attention.split(",").filter(Boolean)) {
  console.log(`${shape}, ${device}`);
  const sizes = shape.split("x").map(Number);
  for (const type of ["float32", "float16"] as const) await tried(type, () => attention(type, sizes));
}
