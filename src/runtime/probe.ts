/**
 * What a device's kernels can do, found out by trying. WebGPU's fused attention walks over the keys in steps of a
 * subgroup's size but always computes 8 of them, so it is silently wrong on adapters whose subgroups are smaller
 * (onnxruntime 1.30; SwiftShader's have 4 lanes: up to 4 % off in the logits). Such an adapter gets plain products.
 * Not every adapter computes in float16, which WebGPU calls shader-f16. x86 processors without dot products of bytes (VNNI)
 * add products of unsigned and signed bytes up in pairs and cut off what passes 16 bits; those of unsigned ones they do not.
 */
import { DeviceError } from "../errors.js";
import { GraphBuilder, type Value } from "../graph/builder.js";
import { CPU_TARGET, type GraphTarget, type WeightType } from "../graph/model.js";
import { UNSIGNED_ZERO } from "../graph/quantize/rows.js";
import { Cast, MatMulIntegerToFloat, Mul, MultiHeadAttention, QuantizeLinear } from "../graph/ops/index.js";
import type { Device } from "./device.js";
import { Session } from "./session.js";
import { float32, values } from "./tensor.js";

/** From 32 queries on the fused kernel is used; the keys fill no whole step of it. */
const QUERIES = 40;
const KEYS = 45;
const DIM = 8;

/**
 * Kernels that are right differ from the host by the order of float32 sums, or by roundings to float16 (2⁻¹² of numbers
 * up to 1, which add up over a few steps); wrong ones by more than 1e-2.
 */
const TOLERANCE = { float32: 1e-4, float16: 4e-3 };

/**
 * The target that graphs with such weights are written for on a device.
 *
 * @throws DeviceError for float16 weights where WebGPU's adapter does not compute in float16, and for `w8a8` where the
 * processor adds 8-bit products up exactly in neither form
 */
export async function probeTarget(device: Device, weights: WeightType = "fp32"): Promise<GraphTarget> {
  if (device !== "webgpu")
    return weights === "w8a8" ? integerTarget((target) => largestSums(device, target)) : CPU_TARGET;
  const halves = await computesInHalves(device);
  if (weights === "fp16") requireHalves({ halves }, "weights fp16", "fp32, q8 and q4");
  const type = halves && weights !== "fp32" ? "float16" : "float32";
  // A loop's steps would wait for the host each.
  return { fusedAttention: await fusedAttentionIsRight(device, type), loops: false, halves };
}

/** Throws a DeviceError that names what asked for float16, and what would not, where WebGPU's adapter has none. */
export function requireHalves({ halves }: Pick<GraphTarget, "halves">, wanted: string, others: string): void {
  if (!halves) throw new DeviceError(`${wanted}: the WebGPU adapter has no float16 (shader-f16); ${others} need none`);
}

/** Whether 1.5 · 1.5 in float16 comes out; the runtime refuses to run such a graph where it cannot. */
async function computesInHalves(device: Device): Promise<boolean> {
  const g = new GraphBuilder("float16 probe");
  const x = Cast(g, g.input("x", "float32", [1]), "float16");
  g.output("y", Cast(g, Mul(g, x, x), "float32"), "float32", [1]);
  const session = await Session.create(await g.build(), { device });
  try {
    const { y } = await session.run({ x: float32(Float32Array.of(1.5), [1]) });
    return values(y!)[0] === 2.25;
  } catch (error) {
    if (/\bf16\b/.test(String(error))) return false;
    throw error;
  } finally {
    await session.dispose();
  }
}

async function fusedAttentionIsRight(device: Device, type: "float32" | "float16"): Promise<boolean> {
  const g = new GraphBuilder("attention probe");
  const input = (name: string, tokens: number): Value => Cast(g, g.input(name, "float32", [1, tokens, DIM]), type);
  const read = MultiHeadAttention(g, input("q", QUERIES), input("k", KEYS), input("v", KEYS), { heads: 1, scale: 1 });
  g.output("y", Cast(g, read, "float32"), "float32", [1, QUERIES, DIM]);
  const session = await Session.create(await g.build(), { device });
  const [qs, ks, vs] = [wave(QUERIES, 1), wave(KEYS, 2), wave(KEYS, 3)];
  try {
    const { y } = await session.run({
      q: float32(qs, [1, QUERIES, DIM]),
      k: float32(ks, [1, KEYS, DIM]),
      v: float32(vs, [1, KEYS, DIM]),
    });
    const expected = attention(qs, ks, vs);
    return values(y!).every((value, i) => Math.abs(value - expected[i]!) <= TOLERANCE[type]);
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

/** Channels of a token whose levels are all the largest, times weights that are, too. */
const CHANNELS = 64;
const LARGEST_SUM = CHANNELS * 255 * 127;

/** Signed levels are what processors with dot products of bytes are made for; to the others unsigned ones are as fast. */
const INTEGER_TARGETS: readonly GraphTarget[] = [CPU_TARGET, { ...CPU_TARGET, unsignedLevels: true }];

/** The first target on which the largest sums, as `sumsOn` finds them, are what they should be; none is a DeviceError. */
export async function integerTarget(sumsOn: (target: GraphTarget) => Promise<readonly number[]>): Promise<GraphTarget> {
  const wrong: number[] = [];
  for (const target of INTEGER_TARGETS) {
    const found = (await sumsOn(target)).find((sum) => sum !== LARGEST_SUM);
    if (found === undefined) return target;
    wrong.push(found);
  }
  throw new DeviceError(
    `weights w8a8: this processor adds 64 products of 255 and 127 up to ${wrong.join(" or ")}, not ${LARGEST_SUM}; q8 works on any`,
  );
}

/** What 64 products of the largest 8-bit numbers add up to, several times: what is cut off anywhere would be here. */
export async function largestSums(device: Device, target: GraphTarget): Promise<number[]> {
  const g = new GraphBuilder("integer probe", target);
  const x = g.input("x", "float32", [1, CHANNELS]);
  const levels = QuantizeLinear(
    g,
    x,
    g.constant("float32", [1, 1], Float32Array.of(1)),
    g.constant("uint8", [1, 1], new Uint8Array(1)),
    CHANNELS,
  );
  const square = [CHANNELS, CHANNELS];
  const weights = target.unsignedLevels
    ? {
        values: g.constant("uint8", square, new Uint8Array(CHANNELS ** 2).fill(UNSIGNED_ZERO + 127)),
        zero: UNSIGNED_ZERO,
      }
    : { values: g.constant("int8", square, new Int8Array(CHANNELS ** 2).fill(127)), zero: 0 };
  const sums = MatMulIntegerToFloat(g, { values: levels, zero: 0 }, weights, ones(g, CHANNELS));
  g.output("y", sums, "float32", [1, CHANNELS]);
  const session = await Session.create(await g.build(), { device });
  try {
    const { y } = await session.run({ x: float32(new Float32Array(CHANNELS).fill(255), [1, CHANNELS]) });
    return Array.from(values(y!));
  } finally {
    await session.dispose();
  }
}

function ones(g: GraphBuilder, length: number): Value {
  return g.constant("float32", [length], new Float32Array(length).fill(1));
}
