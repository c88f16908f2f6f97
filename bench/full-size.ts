/**
 * Draws a 256 × 256 image with a synthetic checkpoint of the 2B model's full size, through the command line, and prints
 * what it took; with --floor it does so four times and prints what every part took beside the least that it could take.
 * Memory is allocated as under the `scalekv` command. Writes some 7 GB to a temporary folder (TMPDIR), beside them what is
 * kept of weights in 8 and 4 bits, and removes them.
 *
 *     node scripts/bench.mjs bench/full-size.ts [--floor] [FLAGS OF generate]
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { commandEnvironment } from "./command-environment.js";
import { writeSynthetic2B } from "./synthetic-model.js";
import { inTemporaryFolder } from "./temporary-folder.js";

const given = process.argv.slice(2);
const flags = given.filter((flag) => flag !== "--floor");
await inTemporaryFolder(async (folder) => {
  const begun = performance.now();
  await writeSynthetic2B(folder);
  console.log(`wrote the checkpoints in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  const wanted = flags.length > 0 ? flags : ["--pixels", "0.06M"];
  const drawing = ["generate", "a red fox in the snow", "--model", folder, ...wanted];
  const command = given.includes("--floor") ? ["bench", ...drawing] : [...drawing, "--out", join(folder, "image.png")];
  const args = ["scripts/scalekv.mjs", ...command];
  const started = performance.now();
  const env = { ...(await commandEnvironment()), SCALEKV_CACHE: join(folder, "cache") };
  const child = spawn(process.execPath, args, { stdio: "inherit", env });
  const code = await new Promise<number | null>((done) => child.once("exit", done));
  // Ended by a signal it has none.
  process.exitCode = code ?? 1;
  console.log(
    `the whole command took ${((performance.now() - started) / 1000).toFixed(0)} s, exit code ${String(code)}`,
  );
});
