/**
 * Our transformer beside the same model in PyTorch eager mode: one checkpoint, forced bits, guidance on, 2 threads
 * each, in turn, each run a process of its own. Prints every run, the median ratio, and how far the logits differ. Ours
 * allocates memory as under the `scalekv` command.
 *
 *     node scripts/bench.mjs bench/against-pytorch.ts [WIDTH DEPTH HEADS PIXELS ROUNDS WEIGHTS...]
 *
 * Needs Debian's python3-torch and libopenblas0. PYTHON names the interpreter.
 */
import { execFile } from "node:child_process";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { python, report, runOurs, runPython } from "./in-turn.js";
import { inTemporaryFolder } from "./temporary-folder.js";

const [width = "768", depth = "12", heads = "8", pixels = "0.25M", rounds = "3", ...types] = process.argv.slice(2);
/** How our weights are held, in turn. */
const weightTypes = types.length > 0 ? types : ["fp32"];

await inTemporaryFolder(async (folder) => {
  const script = "bench/pytorch_transformer.py";
  await promisify(execFile)(python, [script, "make", folder, width, depth, heads, pixels]);
  const ratios = new Map<string, number[]>(weightTypes.map((type) => [type, []]));
  for (let round = 0; round < Number(rounds); round++) {
    const theirs = await runPython([script, "run", folder]);
    for (const type of weightTypes) {
      const ours = await runOurs(["bench/our-transformer.ts", folder, "full", "", "fp32", type]);
      ratios.get(type)!.push(ours.seconds / theirs.seconds);
      await rename(join(folder, "our-logits.bin"), join(folder, `${type}.bin`));
    }
  }
  for (const type of weightTypes) {
    const results = { theirs: join(folder, "pytorch-logits.bin"), ours: join(folder, `${type}.bin`) };
    await report({ name: type, ratios: ratios.get(type)!, results });
  }
});
