/**
 * One layer beside the same layer in PyTorch eager mode: as large as the 2B model's unless told otherwise, two rows, 2
 * threads each, in turn, each round a process of its own, of which the best of a few runs counts. Prints every round, the
 * median ratio, and how far the states differ.
 *
 *     node scripts/bench.mjs bench/layer-against-pytorch.ts [WIDTH HEADS NEW CACHED ROUNDS WEIGHTS...]
 *
 * Needs Debian's python3-torch. PYTHON names the interpreter.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { openCheckpoint } from "../src/checkpoint/open.js";
import { readFloat32 } from "../src/checkpoint/read.js";
import type { WeightType } from "../src/graph/model.js";
import { buildLayer } from "../src/models/infinity/layer.js";
import { cutPieces, pieceAxes, pieceFeeds } from "../src/models/infinity/pieces.js";
import { inferInfinityConfig } from "../src/models/infinity/tensors.js";
import { lookupIn } from "../src/models/lookup.js";
import { probeTarget } from "../src/runtime/probe.js";
import { Session } from "../src/runtime/session.js";
import { float32, int64, values, type Tensor } from "../src/runtime/tensor.js";
import { python, report, runOurs, runPython } from "./in-turn.js";
import { inTemporaryFolder } from "./temporary-folder.js";

const THREADS = 2;
/** As many as PyTorch's side makes. */
const RUNS = 3;

const [first = "2048", ...rest] = process.argv.slice(2);
await (first === "ours" ? ours(rest) : compare(first, rest));

/** Runs both in turn. */
async function compare(
  width: string,
  [heads = "16", fresh = "1024", cached = "1500", rounds = "3", ...types]: readonly string[],
): Promise<void> {
  const weightTypes = types.length > 0 ? types : ["fp32", "q8", "w8a8"];
  await inTemporaryFolder(async (folder) => {
    const script = "bench/pytorch_transformer.py";
    await promisify(execFile)(python, [script, "make-layer", folder, width, heads, fresh, cached]);
    const ratios = new Map<string, number[]>(weightTypes.map((type) => [type, []]));
    for (let round = 0; round < Number(rounds); round++) {
      const theirs = await runPython([script, "run-layer", folder]);
      for (const type of weightTypes) {
        const { seconds } = await runOurs(["bench/layer-against-pytorch.ts", "ours", folder, type]);
        ratios.get(type)!.push(seconds / theirs.seconds);
      }
    }
    for (const type of weightTypes) {
      const results = { theirs: join(folder, "pytorch-state.bin"), ours: join(folder, `${type}.bin`) };
      await report({ name: type, ratios: ratios.get(type)!, results });
    }
  });
}

/** Our layer on the same inputs; prints one JSON line and keeps the state. */
async function ours([folder = "", weights = "fp32"]: readonly string[]): Promise<void> {
  const checkpoint = await openCheckpoint(`${folder}/infinity.pth`);
  const { tensors: given } = await openCheckpoint(`${folder}/layer.pth`);
  const config = { ...inferInfinityConfig(checkpoint.tensors, checkpoint.path), patchify: false };
  const type = weights as WeightType;
  const options = { storage: "fp32", target: await probeTarget("cpu", type), weights: type } as const;
  const lookup = lookupIn(checkpoint.tensors, checkpoint.path);
  const session = await Session.create(await buildLayer(config, lookup, 0, options), {
    device: "cpu",
    threads: THREADS,
  });
  const feeds: Record<string, Tensor> = { observers: int64([0], [1]) };
  for (const [name, tensor] of given) feeds[name] = float32(await readFloat32(tensor), tensor.shape);
  const [rows = 0, tokens = 0] = feeds.x!.dims;
  const [, text = 0] = feeds.text_k!.dims;
  // Ours takes the text's keys with the scores' factor in them.
  const factor = 1 / Math.sqrt(config.width / config.heads);
  const everyRow = Array.from({ length: rows }, (_, row) => row);
  const edges = (edge: (row: number) => readonly number[]): Tensor => int64(everyRow.flatMap(edge), [rows, 2]);
  const pieces = cutPieces(rows, tokens, config.hidden);
  Object.assign(feeds, pieceFeeds(pieces), {
    text_k: float32(
      values(feeds.text_k!).map((value) => value * factor),
      feeds.text_k!.dims,
    ),
    text_starts: edges((row) => [row, 0]),
    text_ends: edges((row) => [row + 1, text]),
  });
  const y = float32(new Float32Array(feeds.x!.size), [...pieceAxes(pieces), config.width]);
  let best = Infinity;
  for (let i = 0; i < RUNS; i++) {
    const begun = performance.now();
    await session.run(feeds, { y, new_k: null, new_v: null });
    best = Math.min(best, (performance.now() - begun) / 1000);
  }
  await writeFile(join(folder, `${weights}.bin`), y.data as Float32Array);
  await session.dispose();
  console.log(JSON.stringify({ engine: `scalekv ${weights}`, seconds: best }));
}
