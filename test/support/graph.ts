/** Graphs that are built, loaded and run in memory, on the CPU. */
import { expect, it } from "vitest";
import { bytesSource } from "../../src/checkpoint/source.js";
import { rowMajorStrides, type StoredTensor } from "../../src/checkpoint/tensor.js";
import { GraphBuilder, type Value } from "../../src/graph/builder.js";
import type { ElementType, GraphModel, GraphTarget } from "../../src/graph/model.js";
import { Session, type Tensors } from "../../src/runtime/session.js";
import { float32 } from "../../src/runtime/tensor.js";
import type { NdArray } from "./arrays.js";

/** Finishes a graph, runs it once and frees it. */
export async function runGraph(g: GraphBuilder, feeds: Tensors = {}): Promise<Tensors> {
  return runModel(await g.build(), feeds);
}

/** Runs a finished graph once and frees it. */
export async function runModel(model: GraphModel, feeds: Tensors): Promise<Tensors> {
  const session = await Session.create(model, { device: "cpu" });
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

/** An array as a float32 tensor of a checkpoint that lies in memory. */
export function storedTensor(name: string, { shape, values }: NdArray): StoredTensor {
  const source = bytesSource(name, new Uint8Array(Float32Array.from(values).buffer));
  return { name, dtype: "f32", shape, strides: rowMajorStrides(shape), source, offset: 0 };
}

/** An operator, what goes in and what must come out. */
export interface OperatorCase {
  readonly inputs: readonly NdArray[];
  readonly build: (g: GraphBuilder, ...inputs: Value[]) => Value;
  readonly expected: NdArray;
  /** Element type of the result. Default float32. */
  readonly type?: ElementType;
  readonly target?: GraphTarget;
}

/** Sums and approximations of numbers about 1 in float32; a wrong formula is off by far more. */
const TOLERANCE = 5e-6;

/** One test for each of a module's operators: `testOperators<keyof typeof module>`, so that none can be left out. */
export function testOperators<Name extends string>(family: Readonly<Record<Name, readonly OperatorCase[]>>): void {
  it.each(Object.entries<readonly OperatorCase[]>(family))("%s", async (_, cases) => {
    for (const one of cases) await checkOperator(one);
  });
}

async function checkOperator({ inputs, build, expected, type = "float32", target }: OperatorCase): Promise<void> {
  const g = new GraphBuilder("operator", target);
  const values = inputs.map(({ shape }, i) => g.input(`input_${i}`, "float32", shape));
  g.output("result", build(g, ...values), type, expected.shape);
  const feeds = inputs.map(
    ({ shape, values }, i) => [`input_${i}`, float32(Float32Array.from(values), shape)] as const,
  );
  const { result } = await runGraph(g, Object.fromEntries(feeds));
  expect(result?.dims).toEqual(expected.shape);
  const found = Array.from(result?.data as ArrayLike<number | bigint>, Number);
  const worst = found.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.values[i]!)), 0);
  expect(worst).toBeLessThanOrEqual(TOLERANCE);
}
