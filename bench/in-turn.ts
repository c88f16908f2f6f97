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
  /** Where it was timed more than once: every time, of which `seconds` is the median. */
  readonly runs?: readonly number[];
}

const run = promisify(execFile);

/** Debian's, or the one that PYTHON names. */
export const python = process.env.PYTHON ?? "/usr/bin/python3";

/** How a run is started. */
export interface RunOptions {
  /** Seconds after which it is given up. Default: never. */
  readonly limit?: number;
  /** Nothing is printed. */
  readonly quiet?: boolean;
}

/** Runs a Python script and prints what it took. */
export function runPython(args: readonly string[], options?: RunOptions): Promise<Run> {
  return timed(python, args, process.env, options);
}

/** Runs a benchmark of ours, which allocates memory as under the `scalekv` command, and prints what it took. */
export async function runOurs(args: readonly string[], options?: RunOptions): Promise<Run> {
  return timed(process.execPath, ["scripts/bench.mjs", ...args], await commandEnvironment(), options);
}

async function timed(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { limit = 0, quiet = false }: RunOptions = {},
): Promise<Run> {
  const { stdout } = await run(command, args, { env, timeout: 1000 * limit, killSignal: "SIGKILL" });
  const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as Run;
  if (quiet) return result;
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
  const all = ratios.map((ratio) => ratio.toFixed(2)).join(" ");
  console.log(`${name}: ratio (ours / theirs) ${all}; median ${median(ratios).toFixed(2)}`);
  if (!results) return;
  const { most } = await apart(results.theirs, results.ours);
  console.log(`${name}: results ${most.toExponential(1)} of the largest apart at most`);
}

/** The median of some numbers; of an even number of them the upper one. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

/** How far two files of float32 numbers are apart, as a part of the first one's largest, and of its root mean square. */
export async function apart(first: string, second: string): Promise<{ most: number; rms: number }> {
  const [a, b] = [await floats(first), await floats(second)];
  if (a.length === 0 || a.length !== b.length) throw new Error(`${second}: ${b.length} numbers, ${first}: ${a.length}`);
  const differences = a.map((value, i) => Math.abs(value - b[i]!));
  const largest = (all: Float32Array): number => all.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const square = (all: Float32Array): number => all.reduce((sum, value) => sum + value * value, 0);
  // A number that is none would be smaller than any.
  const finite = [a, b].every((all) => all.every(Number.isFinite));
  return {
    most: finite ? largest(differences) / largest(a) : Infinity,
    rms: finite ? Math.sqrt(square(differences) / square(a)) : Infinity,
  };
}

async function floats(path: string): Promise<Float32Array> {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}
