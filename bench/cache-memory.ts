/**
 * What a policy saves on a whole run: the transformer (random weights, guidance on, forced bits) with the full cache and
 * with a policy in turn, each a process of its own. Prints seconds, the process's peak above the loaded weights, and what
 * the cache says of itself. Memory is allocated as under the `scalekv` command.
 *
 *     node scripts/bench.mjs bench/cache-memory.ts [WIDTH DEPTH HEADS PIXELS ROUNDS POLICY BUDGET STORAGE]
 *
 * Needs Debian's python3-torch, which writes the checkpoint.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { commandEnvironment } from "./command-environment.js";
import { inTemporaryFolder } from "./temporary-folder.js";

interface Run {
  readonly seconds: number;
  /** Of these, for what the cache does after a layer: judging, choosing, moving. */
  readonly commitSeconds: number;
  readonly loadedBytes: number;
  readonly peakBytes: number;
  readonly cacheBytes: number;
  /** What the report accounts for. */
  readonly accountedBytes: number;
}

const [
  width = "768",
  depth = "12",
  heads = "8",
  pixels = "1M",
  rounds = "2",
  policy = "scalekv",
  budget = "10%",
  storage = "fp32",
] = process.argv.slice(2);
const python = process.env.PYTHON ?? "/usr/bin/python3";
const run = promisify(execFile);
const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0).padStart(6);

async function measure(folder: string, args: readonly string[]): Promise<Run> {
  const bench = ["scripts/bench.mjs", "bench/our-transformer.ts", folder, ...args];
  const { stdout } = await run(process.execPath, bench, { env: await commandEnvironment() });
  const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as Run;
  const { seconds, commitSeconds, loadedBytes, peakBytes, cacheBytes, accountedBytes } = result;
  const name = args.join(" ").padEnd(24);
  console.log(
    `${name} ${seconds.toFixed(1).padStart(7)} s, ${((100 * commitSeconds) / seconds).toFixed(1)} % in the cache, ${mib(peakBytes - loadedBytes)} MiB above ${mib(loadedBytes)} loaded, ` +
      `cache ${mib(cacheBytes)}; accounted ${(accountedBytes / peakBytes).toFixed(2)} of the peak`,
  );
  return result;
}

await inTemporaryFolder(async (folder) => {
  await run(python, ["bench/pytorch_transformer.py", "make", folder, width, depth, heads, pixels]);
  for (let round = 0; round < Number(rounds); round++) {
    const full = await measure(folder, ["full"]);
    const kept = await measure(folder, [policy, budget, storage]);
    console.log(
      `  time ${(kept.seconds / full.seconds).toFixed(2)} of full; peak ${mib(full.peakBytes - kept.peakBytes)} MiB below`,
    );
  }
});
