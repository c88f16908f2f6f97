/**
 * What this machine can do at best, found out by trying: matrix products in the shapes of a layer, and bytes moved; both
 * through ONNX Runtime, as generations go through it too. Each is repeated, and the best counts, so that another program
 * at work does the least harm.
 */
import { bytesSource } from "../checkpoint/source.js";
import { rowMajorStrides, type StoredTensor } from "../checkpoint/tensor.js";
import { GraphBuilder } from "../graph/builder.js";
import { CPU_WEIGHT_TYPES, type GraphModel, type GraphTarget, type WeightType } from "../graph/model.js";
import * as op from "../graph/ops/index.js";
import { probeTarget } from "../runtime/probe.js";
import { Session } from "../runtime/session.js";
import { float32, type Tensor } from "../runtime/tensor.js";
import { byWeightType, FLOAT, product, type Ceilings } from "./work.js";

/** How a machine is measured. */
export interface MachineOptions {
  /** Threads inside one operator; default: ONNX Runtime's own (one per core). */
  readonly threads?: number | undefined;
  /** Widths of the layers whose products are tried; the MLP's hidden layer is 4 times as wide. */
  readonly widths: readonly number[];
  /** How weights are held. Default: all ways that a processor has. */
  readonly weights?: readonly WeightType[] | undefined;
  /** Stops it before the next measurement. */
  readonly signal?: AbortSignal | undefined;
}

/** One product that was tried. */
export interface MeasuredProduct {
  /** [m, k] × [k, n]. */
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly weights: WeightType;
  /** Operations a second, at best. */
  readonly rate: number;
}

/** A machine's limits. */
export interface Machine {
  readonly products: readonly MeasuredProduct[];
  /** The best of all products by weight type (0 for those not tried), and of moving bytes. */
  readonly ceilings: Ceilings;
}

/** Rows of a product: from here on more of them are hardly any faster (docs/LOG.md). */
const ROWS = 512;
/** Operations of one measurement: 30 ms at 100 GFLOP/s. */
const OPERATIONS = 3e9;
/** Times that a measurement is repeated. */
const REPEATS = 5;
/** Numbers that are moved: 64 MiB, more than any processor's caches. */
const MOVED = 2 ** 24;
/** Passes over them in a short and in a long run, whose difference leaves out what taking memory from the system costs. */
const PASSES = { few: 8, many: 24 };

/**
 * Measures; takes some two seconds for each width and weight type on two cores.
 *
 * @throws DeviceError where the processor adds up products of `w8a8` exactly in neither form (`runtime/probe.ts`); the
 *   signal's reason once it is aborted
 */
export async function measureMachine({
  threads,
  widths,
  weights = CPU_WEIGHT_TYPES,
  signal,
}: MachineOptions): Promise<Machine> {
  const products: MeasuredProduct[] = [];
  for (const type of weights) {
    const target = await probeTarget("cpu", type);
    for (const width of widths) {
      for (const [k, n] of [
        [width, width],
        [width, 4 * width],
        [4 * width, width],
      ] as const) {
        signal?.throwIfAborted();
        products.push(await measureProduct({ m: ROWS, k, n, weights: type }, target, threads));
      }
    }
  }
  signal?.throwIfAborted();
  const best = (type: WeightType): number =>
    Math.max(0, ...products.filter((one) => one.weights === type).map(({ rate }) => rate));
  return { products, ceilings: { operations: byWeightType(best), bytes: await measureMoving(threads) } };
}

/** The product is repeated inside the graph, which gives out one number of each: nothing else is to be measured. */
async function measureProduct(
  shape: Omit<MeasuredProduct, "rate">,
  target: GraphTarget,
  threads: number | undefined,
): Promise<MeasuredProduct> {
  const { m, k, n, weights } = shape;
  const g = new GraphBuilder("product", target, weights);
  const x = g.input("x", "float32", [1, m, k]);
  const matrix = g.matrix(matrixOf(n, k));
  const [made] = g.scan([g.input("steps", "float32", ["steps"])], 3, () => [corner(g, op.Linear(g, x, matrix))]);
  g.output("y", made!, "float32", ["steps", 1, 1, 1]);
  const each = product(m, k, n);
  const steps = Math.max(1, Math.round(OPERATIONS / each));
  const feeds = { x: tensorOf(m * k, [1, m, k]), steps: tensorOf(steps, [steps]) };
  const seconds = await bestSeconds(await g.build(), feeds, threads);
  return { ...shape, rate: (steps * each) / seconds };
}

/** Bytes read and written a second where every number is read, multiplied and written in place. */
async function measureMoving(threads: number | undefined): Promise<number> {
  const passes = async (count: number): Promise<number> => {
    const g = new GraphBuilder("moving");
    const one = g.input("one", "float32", []);
    let x = g.input("x", "float32", [1, 1, MOVED]);
    for (let i = 0; i < count; i++) x = op.Mul(g, x, one);
    g.output("y", corner(g, x), "float32", [1, 1, 1]);
    return bestSeconds(
      await g.build(),
      { x: tensorOf(MOVED, [1, 1, MOVED]), one: float32(Float32Array.of(1), []) },
      threads,
    );
  };
  const seconds = (await passes(PASSES.many)) - (await passes(PASSES.few));
  return ((PASSES.many - PASSES.few) * 2 * FLOAT * MOVED) / seconds;
}

/** The first number of x [1, a, b]. */
function corner(g: GraphBuilder, x: ReturnType<typeof op.Linear>): ReturnType<typeof op.Linear> {
  return op.Slice(g, op.Slice(g, x, 1, 0, 1), 2, 0, 1);
}

async function bestSeconds(
  model: GraphModel,
  feeds: Readonly<Record<string, Tensor>>,
  threads: number | undefined,
): Promise<number> {
  const session = await Session.create(model, { device: "cpu", threads });
  try {
    await session.run(feeds);
    let best = Infinity;
    for (let i = 0; i < REPEATS; i++) {
      const begun = performance.now();
      await session.run(feeds);
      best = Math.min(best, performance.now() - begun);
    }
    return best / 1000;
  } finally {
    await session.dispose();
  }
}

/** A matrix [rows, columns]. */
function matrixOf(rows: number, columns: number): StoredTensor {
  const shape = [rows, columns];
  const source = bytesSource("product", new Uint8Array(numbers(rows * columns).buffer));
  return { name: "weight", dtype: "f32", shape, strides: rowMajorStrides(shape), source, offset: 0 };
}

function tensorOf(length: number, shape: readonly number[]): Tensor {
  return float32(numbers(length), shape);
}

/** Numbers about 1 of either sign; how fast they are multiplied does not depend on them. */
function numbers(length: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = ((i * 37) % 255) / 127 - 1;
  return values;
}
