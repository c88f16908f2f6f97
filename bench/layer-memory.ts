/**
 * What a layer works with, beside its weights and the cache: the formula of `working-memory.ts`, and how much more memory a
 * process took that ran a single layer of a model's checkpoint, each a process of its own that allocates as the command does.
 *
 *     node scripts/bench.mjs bench/layer-memory.ts FOLDER [WEIGHTS]
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { openCheckpoint } from "../src/checkpoint/open.js";
import type { WeightType } from "../src/graph/model.js";
import { buildLayer } from "../src/models/infinity/layer.js";
import { cutPieces, pieceAxes, pieceFeeds } from "../src/models/infinity/pieces.js";
import { inferInfinityConfig } from "../src/models/infinity/tensors.js";
import { layerWorkingBytes } from "../src/models/infinity/working-memory.js";
import { lookupIn } from "../src/models/lookup.js";
import { processMemory } from "../src/runtime/memory.js";
import { probeTarget } from "../src/runtime/probe.js";
import { Session } from "../src/runtime/session.js";
import { float32, int64, type Tensor } from "../src/runtime/tensor.js";
import { commandEnvironment } from "./command-environment.js";

/** Rows, tokens and cached tokens: the last scale at `0.25M` and at `1M`, with all that may be cached and a tenth of it. */
const TASKS = [
  [2, 1024, 1497],
  [2, 4096, 6425],
  [2, 4096, 640],
  [8, 4096, 640],
] as const;
const TEXT = 64;

const [first = "", ...rest] = process.argv.slice(2);
await (first === "run" ? run(rest) : compare(first, rest[0] ?? "fp32"));

async function compare(folder: string, weights: string): Promise<void> {
  const env = await commandEnvironment();
  for (const task of TASKS) {
    const args = ["scripts/bench.mjs", "bench/layer-memory.ts", "run", folder, weights, ...task.map(String)];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    console.log(`${task.join(", ").padEnd(14)} rows, tokens, cached: ${stdout.trim()}`);
  }
}

async function run([folder = "", weights = "", ...sizes]: readonly string[]): Promise<void> {
  const [rows = 0, tokens = 0, past = 0] = sizes.map(Number);
  const checkpoint = await openCheckpoint(`${folder}/infinity.pth`);
  const config = { ...inferInfinityConfig(checkpoint.tensors, checkpoint.path), patchify: false };
  const { width, heads, hidden } = config;
  const type = weights as WeightType;
  const options = { storage: "fp32", target: await probeTarget("cpu", type), weights: type } as const;
  const lookup = lookupIn(checkpoint.tensors, checkpoint.path);
  const session = await Session.create(await buildLayer(config, lookup, 0, options), { device: "cpu" });
  const pieces = cutPieces(rows, tokens, hidden);
  const everyRow = Array.from({ length: rows }, (_, row) => row);
  const edges = (edge: (row: number) => readonly number[]): Tensor => int64(everyRow.flatMap(edge), [rows, 2]);
  const angles = [tokens, width / heads / 2];
  const feeds = {
    ...{ modulation: filled(rows, 6, width), cos: filled(...angles), sin: filled(...angles) },
    ...{ past_k: filled(past, rows, width), past_v: filled(past, rows, width), observers: int64([0], [1]) },
    ...{ text_k: filled(rows, TEXT, width), text_v: filled(rows, TEXT, width) },
    ...{ text_starts: edges((row) => [row, 0]), text_ends: edges((row) => [row + 1, TEXT]) },
    ...pieceFeeds(pieces),
  };
  globalThis.gc!();
  const { resident } = await processMemory();
  const kept = { new_k: filled(tokens, rows, width), new_v: filled(tokens, rows, width) };
  await session.run({ ...feeds, x: filled(rows, tokens, width) }, { y: filled(...pieceAxes(pieces), width), ...kept });
  const { peak } = await processMemory();
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  console.log(`${mib(layerWorkingBytes(config, { rows, tokens, past }))} by formula, ${mib(peak - resident)} taken`);
}

function filled(...shape: number[]): Tensor {
  const values = new Float32Array(shape.reduce((a, b) => a * b));
  return float32(values.fill(0.1), shape);
}
