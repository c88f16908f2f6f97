/**
 * The drawing cases of test/golden on a device, by the code that `scalekv trace` runs: for each how far the logits are off
 * at most, as a part of their scale's largest, how many bits are not the reference's, and how many levels an image is off in
 * the mean.
 *
 *     node scripts/bench.mjs bench/golden.ts [--device webgpu] [--weights fp32] [--storage fp32] [--folder test/golden] [CASE…]
 */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { StorageType } from "../src/cache/storage.js";
import { closeCheckpoint } from "../src/checkpoint/checkpoint.js";
import { openCheckpoint } from "../src/checkpoint/open.js";
import { readFloat32 } from "../src/checkpoint/read.js";
import { traceCase } from "../src/generate/trace.js";
import type { PipelineOptions, WeightType } from "../src/generate/types.js";
import { inTemporaryFolder } from "./temporary-folder.js";

const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: "string", default: "webgpu" },
    weights: { type: "string", default: "fp32" },
    storage: { type: "string", default: "fp32" },
    folder: { type: "string", default: "test/golden" },
  },
});
const options: PipelineOptions = {
  device: flags.device as "cpu" | "webgpu",
  weights: flags.weights as WeightType,
  cache: { storage: flags.storage as StorageType },
};

async function numbers(file: string): Promise<Map<string, Float32Array>> {
  const checkpoint = await openCheckpoint(file);
  const read = new Map<string, Float32Array>();
  for (const [name, tensor] of checkpoint.tensors) read.set(name, await readFloat32(tensor));
  await closeCheckpoint(checkpoint);
  return read;
}

const largest = (all: Float32Array): number => all.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** The largest of what a case's arrays of one kind say. */
function worst(
  [expected, found]: readonly [Map<string, Float32Array>, Map<string, Float32Array>],
  kind: string,
  measure: (differences: Float32Array, expected: Float32Array) => number,
): number {
  const names = [...expected.keys()].filter((name) => name.startsWith(kind));
  return names.reduce((most, name) => {
    const [a, b] = [expected.get(name)!, found.get(name)];
    if (a.length !== b?.length) throw new Error(`${name}: ${a.length} numbers expected, ${b?.length ?? 0} found`);
    const off = measure(
      a.map((value, i) => Math.abs(value - b[i]!)),
      a,
    );
    return Number.isNaN(off) ? NaN : Math.max(most, off);
  }, 0);
}

async function line(name: string, scratch: string): Promise<string> {
  const at = join(flags.folder, "cases", name);
  const { kind, model } = JSON.parse(await readFile(join(at, "case.json"), "utf8")) as { kind: string; model: string };
  if (kind !== "forced" && kind !== "greedy") return "";
  if (!existsSync(join(flags.folder, "models", model, "infinity.pth"))) return `${name}: no model ${model} here`;
  const out = join(scratch, `${name}.safetensors`);
  const { seconds } = await traceCase(join(flags.folder, "models", model), at, out, options);
  const both = [await numbers(join(at, "expected.safetensors")), await numbers(out)] as const;
  const logits = worst(both, "logits.", (off, all) => largest(off) / largest(all));
  const bits = worst(both, "bits.", (off) => off.filter((value) => value > 0).length);
  const image = worst(both, "image", (off) => off.reduce((sum, value) => sum + value, 0) / off.length);
  const told = [`logits ${logits.toExponential(1)}`, `bits ${bits}`, `image ${image.toFixed(3)} levels`];
  return `${name.padEnd(32)} ${told.join(", ")} (${seconds.toFixed(1)} s)`;
}

const cases = positionals.length > 0 ? positionals : (await readdir(join(flags.folder, "cases"))).sort();
await inTemporaryFolder(async (scratch) => {
  console.log(`${flags.device}, weights ${flags.weights}, storage ${flags.storage}`);
  for (const name of cases) {
    const told = await line(name, scratch).catch((error: unknown) => `${name}: ${String(error).split("\n")[0]}`);
    if (told !== "") console.log(told);
  }
});
