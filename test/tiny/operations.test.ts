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

/**
 * Products that a number of `out` sums. FusedMatMul takes either factor transposed, and the profile does not say so; but
 * whatever the order of axes, of [m, k], [k, n] and [m, n] the first two have k² times as many numbers as the last. Of a
 * weight that was laid out anew there is no shape; what it multiplies is never transposed.
 */
function summed(first: readonly number[], second: readonly number[], out: readonly number[]): number {
  if (second.length < 2) return first.at(-1)!;
  // Products side by side, where not all have the same second factor.
  const beside = second.length > 2 ? count(out.slice(0, -2)) : 1;
  return count(out) === 0 ? 0 : Math.sqrt((count(first) * count(second)) / count(out) / beside);
}

/** Operations of one executed operator: for every number that comes out, as many as it sums products, twice. */
function operations({ args }: Entry, graph: string): number {
  const { op_name: operator, input_type_shape, output_type_shape } = args;
  const [first = [], second = []] = shapes(input_type_shape);
  const [out = []] = shapes(output_type_shape);
  if (operator === "FusedMatMul") return 2 * count(out) * summed(first, second, out);
  if (/^(?:Gemm|MatMul|MatMulNBits|MatMulIntegerToFloat)$/.test(operator)) return 2 * count(out) * first.at(-1)!;
  // Queries meet every key, and every value is weighed; queries may have channels that values do not.
  if (operator === "MultiHeadAttention") return 2 * (count(first) + count(out)) * second[1]!;
  if (!/^(?:Fused)?Conv$/.test(operator)) return 0;
  const [, channels = 0, height = 0, width = 0] = out;
  const [, into = 0, taps = 0] = second;
  // Of what is computed and thrown away nothing counts: the column too many of the kernels that double a map, and the
  // channels beyond the image's three colours, as kernels work on a multiple of 16.
  const needed = (graph === "VAE-conv_out" ? 3 : channels) * height * (taps === 2 ? width - 1 : width);
  return 2 * needed * into * taps * taps;
}

/** Graphs that are none of the cache's. */
const OTHERS = /^(?:layer-\d|head|embedding|conditioning|guidance|T5-|VAE-)/;

/** Operations that ran, by what the graph's name matches and the part of it. */
function ran(prefix: string, folder: string): (graphs: (name: string) => boolean, part?: string) => number {
  const sums = new Map<string, number>();
  for (const file of readdirSync(folder)) {
    const graph = profiledGraph(join(folder, file), prefix);
    const entries = JSON.parse(readFileSync(join(folder, file), "utf8")) as Entry[];
    for (const entry of entries.filter(({ name }) => name.endsWith("_kernel_time"))) {
      const key = `${graph} ${entry.name.split("/")[0]!}`;
      sums.set(key, (sums.get(key) ?? 0) + operations(entry, graph));
    }
  }
  return (graphs, part = "") =>
    [...sums].reduce((sum, [key, each]) => {
      const [name = "", own = ""] = key.split(" ");
      return graphs(name) && own.startsWith(part) ? sum + each : sum;
    }, 0);
}

describe.each<[string, PipelineOptions, DrawOptions?]>([
  ["the full cache", {}],
  ["the full cache in int8", { cache: { storage: "int8" } }],
  ["scalekv and weights in 8 bits", { weights: "q8", cache: { policy: "scalekv", budget: "60%" } }],
  ["a negative prompt", {}, { negative: "snow" }],
  ["one that nothing steers away from", {}, { negative: "snow", guidance: 1 }],
  ["scalekv in int8", { cache: { policy: "scalekv", budget: "60%", storage: "int8" } }],
  ["streaming-llm in int8", { cache: { policy: "streaming-llm", budget: "20%", storage: "int8" } }],
  ["adaptive", { cache: { policy: "adaptive", budget: "20%" } }],
  ["adaptive in int8", { cache: { policy: "adaptive", budget: "20%", storage: "int8" } }],
])("with %s", (_, loading, options) => {
  const drawing = { ...DRAWING, ...options };
  let found: ReturnType<typeof ran>;
  let work: StageWork[];

  beforeAll(async () => {
    found = await inTemporaryFolder(async (folder) => {
      const prefix = join(folder, "graph-");
      const engine = await Engine.load("tiny", { ...loading, profile: prefix }, resolveModel);
      await engine.draw([PROMPT], drawing);
      await engine.dispose();
      return ran(prefix, folder);
    });
    work = countRun(await countedRun({ model: "tiny", prompts: [PROMPT], loading, drawing }));
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
    ["vae", "VAE-", undefined],
  ])("counts the products of the %s", (part, graph, own) => {
    expect(counted(part)).toBe(found((name) => name.startsWith(graph), own));
    expect(counted(part)).toBeGreaterThan(0);
  });

  it("counts the products of the cache", () => {
    expect(counted("cache")).toBe(found((name) => !OTHERS.test(name)));
    // The full cache in float32 is written by the layers.
    expect(counted("cache") > 0).toBe(loading.cache !== undefined);
  });
});
