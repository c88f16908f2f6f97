/**
 * Our transformer beside the published PyTorch code of ScaleKV: one checkpoint, forced bits, guidance on, 2 threads each, in
 * turn, each run a process of its own; both keep the full cache (`full`), or both BUDGET percent of it by ScaleKV. Prints
 * every run and the median ratio; with the full cache also how far the logits differ.
 *
 *     node scripts/bench.mjs bench/against-published.ts CLONE [WIDTH DEPTH HEADS PIXELS ROUNDS BUDGET WEIGHTS...]
 *
 * CLONE is a checkout of github.com/StargazerX0/ScaleKV. Needs Debian's python3-torch, python3-torchvision, python3-tqdm,
 * python3-tz and libopenblas0. PYTHON names the interpreter.
 */
import { execFile } from "node:child_process";
import { rename } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { python, report, runOurs, runPython } from "./in-turn.js";
import { inTemporaryFolder } from "./temporary-folder.js";

const [clone, width = "768", depth = "12", heads = "8", pixels = "1M", rounds = "2", budget = "10", ...types] =
  process.argv.slice(2);
if (clone === undefined) throw new Error("usage: bench/against-published.ts CLONE …; see the file's head");
const weightTypes = types.length > 0 ? types : ["fp32", "w8a8"];
const theirPolicy = budget === "full" ? ["full"] : ["scalekv", budget];
const ourPolicy = budget === "full" ? ["full", ""] : ["scalekv", `${budget}%`];

await inTemporaryFolder(async (folder) => {
  await promisify(execFile)(python, ["bench/pytorch_transformer.py", "make", folder, width, depth, heads, pixels]);
  const ratios = new Map<string, number[]>(weightTypes.map((type) => [type, []]));
  for (let round = 0; round < Number(rounds); round++) {
    const theirs = await runPython(["bench/published_transformer.py", resolve(clone), folder, ...theirPolicy]);
    for (const type of weightTypes) {
      const ours = await runOurs(["bench/our-transformer.ts", folder, ...ourPolicy, "fp32", type]);
      ratios.get(type)!.push(ours.seconds / theirs.seconds);
      await rename(join(folder, "our-logits.bin"), join(folder, `${type}.bin`));
    }
  }
  for (const type of weightTypes) {
    const results = { theirs: join(folder, "published-logits.bin"), ours: join(folder, `${type}.bin`) };
    // What a policy keeps differs in its details, so that logits are alike with the full cache only.
    await report({ name: type, ratios: ratios.get(type)!, ...(budget === "full" ? { results } : {}) });
  }
});
