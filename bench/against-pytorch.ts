/**
 * Our transformer beside the same model in PyTorch eager mode: one checkpoint, forced bits, guidance on, 2 threads
 * each, in turn, each run a process of its own. Prints every run, the median ratio, and how far the logits differ. Ours
 * allocates memory as under the `scalekv` command.
 *
 *     node scripts/bench.mjs bench/against-pytorch.ts [WIDTH DEPTH HEADS PIXELS ROUNDS WEIGHTS...]
 *
 * Needs Debian's python3-torch. PYTHON names the interpreter.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { commandEnvironment } from "./command-environment.js";

interface Run {
  readonly engine: string;
  readonly seconds: number;
  readonly peakBytes: number;
}

const [width = "768", depth = "12", heads = "8", pixels = "0.25M", rounds = "3", ...types] = process.argv.slice(2);
/** How our weights are held, in turn. */
const weightTypes = types.length > 0 ? types : ["fp32"];
const python = process.env.PYTHON ?? "/usr/bin/python3";
const run = promisify(execFile);

async function timed(command: string, args: readonly string[], env = process.env): Promise<Run> {
  const { stdout } = await run(command, args, { env });
  const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as Run;
  console.log(
    `${result.engine.padEnd(16)} ${result.seconds.toFixed(2)} s, ${(result.peakBytes / 2 ** 20).toFixed(0)} MiB`,
  );
  return result;
}

async function floats(path: string): Promise<Float32Array> {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

const folder = await mkdtemp(join(tmpdir(), "scalekv-bench-"));
try {
  await run(python, ["bench/pytorch_transformer.py", "make", folder, width, depth, heads, pixels]);
  const ratios = new Map<string, number[]>(weightTypes.map((type) => [type, []]));
  const logits = new Map<string, Float32Array>();
  for (let round = 0; round < Number(rounds); round++) {
    const theirs = await timed(python, ["bench/pytorch_transformer.py", "run", folder]);
    for (const type of weightTypes) {
      const args = ["scripts/bench.mjs", "bench/our-transformer.ts", folder, "full", "", "fp32", type];
      const ours = await timed(process.execPath, args, await commandEnvironment());
      ratios.get(type)!.push(ours.seconds / theirs.seconds);
      logits.set(type, await floats(join(folder, "our-logits.bin")));
    }
  }
  const theirs = await floats(join(folder, "pytorch-logits.bin"));
  const largest = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (const type of weightTypes) {
    const all = ratios.get(type)!;
    const ours = logits.get(type)!;
    const difference = theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i]!)), 0) / largest;
    console.log(
      `${type}: ratio (ours / PyTorch) ${all.map((one) => one.toFixed(2)).join(" ")}; median ${median(all).toFixed(2)}`,
    );
    console.log(`${type}: logits of the last scale ${difference.toExponential(1)} of the largest apart at most`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
