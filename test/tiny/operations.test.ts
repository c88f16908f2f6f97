/**
 * What a generation has to do is counted by formula; here each part's matrix products are also counted one by one, by the
 * shapes that ONNX Runtime saw, and must agree exactly.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { Engine } from "../../src/generate/engine.js";
import type { DrawOptions, PipelineOptions } from "../../src/generate/types.js";
import { resolveModel } from "../../src/models/folder.js";
import { countRun, type StageWork } from "../../src/profile/count.js";
import { countedRun } from "../../src/profile/generation.js";
import { operationsOf } from "../../src/profile/work.js";
import { profiledGraph } from "../../src/runtime/session.js";
import { inTemporaryFolder } from "../support/temporary.js";

interface Entry {
  readonly name: string;
  readonly args: {
    readonly op_name: string;
    readonly input_type_shape: readonly Record<string, readonly number[]>[];
    readonly output_type_shape: readonly Record<string, readonly number[]>[];
  };
}

const PROMPT = "a fox";
const DRAWING: DrawOptions = { pixels: "0.06M" };

const count = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);
const shapes = (typed: Entry["args"]["input_type_shape"]): (readonly number[])[] =>
  typed.map((one) => Object.values(one)[0] ?? []);

/** Operations of one executed operator: for every number that comes out, as many as it sums products, twice. */
function operations({ args }: Entry, graph: string): number {
  const { op_name: operator, input_type_shape, output_type_shape } = args;
  const [first = [], second = []] = shapes(input_type_shape);
  const [out = []] = shapes(output_type_shape);
  if (/^(?:Gemm|MatMul|FusedMatMul|MatMulNBits|MatMulIntegerToFloat)$/.test(operator)) {
    // FusedMatMul may take its first factor transposed; these graphs' never is.
    return 2 * count(out) * first.at(-1)!;
  }
  if (operator === "MultiHeadAttention") return 2 * 2 * count(out) * second[1]!;
  if (!/^(?:Fused)?Conv$/.test(operator)) return 0;
  const [, channels = 0, height = 0, width = 0] = out;
  const [, into = 0, taps = 0] = second;
  // Of what is computed and thrown away nothing counts: the column too many of the kernels that double a map, and the
  // channels beyond the image's three colours, as kernels work on a multiple of 16.
  const needed = (graph === "VAE-conv_out" ? 3 : channels) * height * (taps === 2 ? width - 1 : width);
  return 2 * needed * into * taps * taps;
}

/** Operations that ran, by the beginning of the graph's name and the part of it. */
function ran(prefix: string, folder: string): (graph: string, part?: string) => number {
  const sums = new Map<string, number>();
  for (const file of readdirSync(folder)) {
    const graph = profiledGraph(join(folder, file), prefix);
    const entries = JSON.parse(readFileSync(join(folder, file), "utf8")) as Entry[];
    for (const entry of entries.filter(({ name }) => name.endsWith("_kernel_time"))) {
      const key = `${graph} ${entry.name.split("/")[0]!}`;
      sums.set(key, (sums.get(key) ?? 0) + operations(entry, graph));
    }
  }
  return (graph, part = "") =>
    [...sums].reduce((sum, [key, each]) => {
      const [name = "", own = ""] = key.split(" ");
      return name.startsWith(graph) && own.startsWith(part) ? sum + each : sum;
    }, 0);
}

describe.each<[string, PipelineOptions]>([
  ["the full cache", {}],
  ["scalekv and weights in 8 bits", { weights: "q8", cache: { policy: "scalekv", budget: "60%" } }],
])("with %s", (_, loading) => {
  let found: ReturnType<typeof ran>;
  let work: StageWork[];

  beforeAll(async () => {
    found = await inTemporaryFolder(async (folder) => {
      const prefix = join(folder, "graph-");
      const engine = await Engine.load("tiny", { ...loading, profile: prefix }, resolveModel);
      await engine.draw([PROMPT], DRAWING);
      await engine.dispose();
      return ran(prefix, folder);
    });
    work = countRun(await countedRun({ model: "tiny", prompts: [PROMPT], loading, drawing: DRAWING }));
  });

  const counted = (part: string): number =>
    work.reduce((sum, { parts }) => sum + (parts[part] ? operationsOf(parts[part]) : 0), 0);

  it.each([
    ["text encoder", "T5-layer", undefined],
    ["conditioning", "conditioning", undefined],
    ["embedding", "embedding", undefined],
    ["projections", "layer-", "projections"],
    ["attention", "layer-", "attention"],
    ["text", "layer-", "text"],
    ["mlp", "layer-", "mlp"],
    ["head", "head", undefined],
    ["cache", "select", undefined],
    ["vae", "VAE-", undefined],
  ])("counts the products of the %s", (part, graph, own) => {
    expect(counted(part)).toBe(found(graph, own));
    // The full cache judges nothing.
    if (part !== "cache" || loading.cache) expect(counted(part)).toBeGreaterThan(0);
  });
});
