/**
 * What a device's kernels can do, found out by trying. WebGPU's fused attention walks over the keys in steps of a
 * subgroup's size but always computes 8 of them, so it is silently wrong on adapters whose subgroups are smaller
 * (onnxruntime 1.30; SwiftShader's have 4 lanes: up to 4 % off in the logits). Such an adapter gets plain products.
 */
import { GraphBuilder } from "../graph/builder.js";
import { CPU_TARGET, type GraphTarget } from "../graph/model.js";
import { MultiHeadAttention } from "../graph/ops/index.js";
import type { Device } from "./device.js";
import { Session } from "./session.js";
import { float32, values } from "./tensor.js";

/** From 32 queries on the fused kernel is used; the keys fill no whole step of it. */
const QUERIES = 40;
const KEYS = 45;
const DIM = 8;

/** Kernels that are right differ from the host by the order of float32 sums; wrong ones by more than 1e-2. */
const TOLERANCE = 1e-4;

/** The target that graphs for a device are written for. */
export async function probeTarget(device: Device): Promise<GraphTarget> {
  if (device !== "webgpu") return CPU_TARGET;
  // A loop's steps would wait for the host each.
  return { fusedAttention: await fusedAttentionIsRight(device), loops: false };
}

async function fusedAttentionIsRight(device: Device): Promise<boolean> {
  const g = new GraphBuilder("attention probe");
  const q = g.input("q", "float32", [1, QUERIES, DIM]);
  const k = g.input("k", "float32", [1, KEYS, DIM]);
  const v = g.input("v", "float32", [1, KEYS, DIM]);
  g.output("y", MultiHeadAttention(g, q, k, v, { heads: 1, scale: 1 }), "float32", [1, QUERIES, DIM]);
  const session = await Session.create(await g.build(), { device });
  const [qs, ks, vs] = [wave(QUERIES, 1), wave(KEYS, 2), wave(KEYS, 3)];
  try {
    const { y } = await session.run({
      q: float32(qs, [1, QUERIES, DIM]),
      k: float32(ks, [1, KEYS, DIM]),
      v: float32(vs, [1, KEYS, DIM]),
    });
    const expected = attention(qs, ks, vs);
    return values(y!).every((value, i) => Math.abs(value - expected[i]!) <= TOLERANCE);
  } finally {
    await session.dispose();
  }
}

/** Smooth values that differ everywhere, [rows, DIM]. */
function wave(rows: number, phase: number): Float32Array {
  return Float32Array.from({ length: rows * DIM }, (_, i) => Math.sin(12.9898 * i + phase));
}

/** softmax(q kᵀ) v, one head. */
function attention(q: Float32Array, k: Float32Array, v: Float32Array): number[] {
  const row = (x: Float32Array, i: number): Float32Array => x.subarray(i * DIM, (i + 1) * DIM);
  return Array.from({ length: QUERIES }, (_, i) => {
    const scores = Array.from({ length: KEYS }, (_, j) => Math.exp(dot(row(q, i), row(k, j))));
    const sum = scores.reduce((total, score) => total + score, 0);
    return Array.from({ length: DIM }, (_, d) => scores.reduce((y, score, j) => y + (score / sum) * row(v, j)[d]!, 0));
  }).flat();
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
