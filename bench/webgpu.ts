/**
 * Our transformer on WebGPU beside the published PyTorch code of ScaleKV on the same GPU: one checkpoint, forced bits,
 * guidance on, each run a process of its own. Prints a row for each: seconds (the median, after an untimed run), the most
 * memory that the GPU's driver saw taken, that PyTorch itself counted, and with the full cache how far the last scale's
 * logits are from those of the published code in float32.
 *
 *     node scripts/bench.mjs bench/webgpu.ts CLONE [--size 768,12,8,1M] [--half] [--rounds 3] [--seconds 20] [--limit 120]
 *         [--budget 10] [--device webgpu] [--published fp32:full,bf16:full,bf16:scalekv] [--ours fp32:full:fp32,…]
 *
 * CLONE is a checkout of github.com/StargazerX0/ScaleKV. A size is width, depth, heads and pixels; `--half` stores the
 * weights in float16. Rounds end early after so many seconds; a run that takes longer than the limit is given up. Theirs are
 * named by number type and cache, ours by weights, cache and its storage. PYTHON names the interpreter.
 */
import { execFile } from "node:child_process";
import { rename } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { watchDeviceMemory } from "./device-memory.js";
import { apart, python, runOurs, runPython, type Run } from "./in-turn.js";
import { inTemporaryFolder } from "./temporary-folder.js";

const OURS = ["fp32", "fp16", "q8", "q4"].flatMap((weights) =>
  ["full", "scalekv"].map((policy) => `${weights}:${policy}:${weights === "fp32" ? "fp32" : "fp16"}`),
);

const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: "string", default: "768,12,8,1M" },
    half: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "20" },
    limit: { type: "string", default: "120" },
    budget: { type: "string", default: "10" },
    device: { type: "string", default: "webgpu" },
    published: { type: "string", default: "fp32:full,bf16:full,bf16:scalekv" },
    ours: { type: "string", default: OURS.join() },
  },
});
const [clone] = positionals;
if (clone === undefined) throw new Error("usage: bench/webgpu.ts CLONE …; see the file's head");
const how = { limit: Number(flags.limit), quiet: true };

/** One engine's way to run, and how it is started. */
interface Contestant {
  readonly name: string;
  readonly start: () => Promise<Run>;
  /** Its logits, in the folder. */
  readonly logits: string;
  readonly full: boolean;
}

function theirs(name: string, folder: string): Contestant {
  const [type = "", policy = ""] = name.split(":");
  const args = [resolve(clone!), folder, policy, flags.budget, "cuda", type, flags.rounds, flags.seconds];
  return {
    name: `published ${name}`,
    start: () => runPython(["bench/published_transformer.py", ...args], how),
    logits: "published-logits.bin",
    full: policy === "full",
  };
}

function ours(name: string, folder: string): Contestant {
  const [weights = "", policy = "", storage = ""] = name.split(":");
  const cache = [storage, weights, flags.device, flags.rounds, flags.seconds];
  const budget = policy === "full" ? "" : `${flags.budget}%`;
  return {
    name: `ours ${name}`,
    start: () => runOurs(["bench/our-transformer.ts", folder, policy, budget, ...cache], how),
    logits: "our-logits.bin",
    full: policy === "full",
  };
}

const named = (list: string): string[] => list.split(",").filter(Boolean);
/** Logits of this one with the full cache, which stand first, are what all others' are compared with. */
const REFERENCE = "published fp32:full";
let compared = false;

/** Runs one and prints its row; what goes wrong is its row, and the others have their turn. */
async function row({ name, start, logits, full }: Contestant, folder: string): Promise<void> {
  const reference = join(folder, "reference.bin");
  try {
    const { result, peakMiB } = await watchDeviceMemory(start);
    const own = join(folder, logits);
    const off = compared && full ? Object.values(await apart(reference, own)) : [];
    if (name === REFERENCE) await rename(own, reference).then(() => (compared = true));
    const counted = name.startsWith("published") ? ((result.peakBytes ?? 0) / 2 ** 20).toFixed(0) : "";
    const cells = [name, result.seconds.toFixed(3), peakMiB?.toFixed(0) ?? "", counted];
    const differences = ["", ""].map((none, i) => off[i]?.toExponential(1) ?? none);
    const runs = (result.runs ?? []).join(" ");
    console.log(`| ${[...cells, ...differences, runs].join(" | ")} |`);
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    const lines = `${message}\n${stderr}`.split("\n");
    console.log(`| ${name} | ${lines.findLast((line) => /^\w*Error\b/.test(line)) ?? lines[0]} |`);
  }
}

await inTemporaryFolder(async (folder) => {
  const storage = flags.half ? ["half"] : [];
  const make = ["bench/pytorch_transformer.py", "make", folder, ...flags.size.split(","), ...storage];
  await promisify(execFile)(python, make);
  console.log(`${flags.size}${flags.half ? ", float16 on disk" : ""}, ${flags.device}`);
  console.log(
    "| engine, numbers, cache, storage | s | driver, MiB | PyTorch, MiB | logits off at most | rms | every run, s |",
  );
  console.log("| --- | ---: | ---: | ---: | ---: | ---: | --- |");
  for (const name of named(flags.published)) await row(theirs(name, folder), folder);
  for (const name of named(flags.ours)) await row(ours(name, folder), folder);
});
