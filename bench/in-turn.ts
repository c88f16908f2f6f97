/** What benchmarks of two engines have in common: runs in turn, each a process of its own, and their ratio. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { commandEnvironment } from "./command-environment.js";

/** The line of JSON that a run ends with. */
export interface Run {
  readonly engine: string;
  readonly seconds: number;
  readonly peakBytes?: number;
}

const run = promisify(execFile);

/** Debian's, or the one that PYTHON names. */
export const python = process.env.PYTHON ?? "/usr/bin/python3";

/** Runs a Python script and prints what it took. */
export function runPython(args: readonly string[]): Promise<Run> {
  return timed(python, args, process.env);
}

/** Runs a benchmark of ours, which allocates memory as under the `scalekv` command, and prints what it took. */
export async function runOurs(args: readonly string[]): Promise<Run> {
  return timed(process.execPath, ["scripts/bench.mjs", ...args], await commandEnvironment());
}

async function timed(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  const { stdout } = await run(command, args, { env });
  const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as Run;
  const peak = result.peakBytes === undefined ? "" : `, ${(result.peakBytes / 2 ** 20).toFixed(0)} MiB`;
  console.log(`${result.engine.padEnd(18)} ${result.seconds.toFixed(2)} s${peak}`);
  return result;
}

/** Runs of one kind of ours beside the other engine's. */
export interface Comparison {
  readonly name: string;
  /** Our time as a part of theirs, by round. */
  readonly ratios: readonly number[];
  /** Files of float32 numbers that should be alike; left out where they are not meant to be. */
  readonly results?: { readonly theirs: string; readonly ours: string };
}

/** Prints all ratios, their median, and how far the results are apart. */
export async function report({ name, ratios, results }: Comparison): Promise<void> {
  const median = ratios.toSorted((a, b) => a - b)[Math.floor(ratios.length / 2)]!;
  const all = ratios.map((ratio) => ratio.toFixed(2)).join(" ");
  console.log(`${name}: ratio (ours / theirs) ${all}; median ${median.toFixed(2)}`);
  if (!results) return;
  const [theirs, ours] = [await floats(results.theirs), await floats(results.ours)];
  const largest = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i]!)), 0) / largest;
  console.log(`${name}: results ${difference.toExponential(1)} of the largest apart at most`);
}

async function floats(path: string): Promise<Float32Array> {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}
