/** Runs a benchmark of bench/ from its TypeScript source: node scripts/bench.mjs bench/NAME.ts [ARGS]. */
import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const [entry, ...args] = process.argv.slice(2);
if (!entry) throw new Error("usage: node scripts/bench.mjs bench/NAME.ts [ARGS]");
const folder = fileURLToPath(new URL("../out/bench", import.meta.url));
await mkdir(folder, { recursive: true });
const outfile = join(folder, `${basename(entry, ".ts")}.mjs`);
await build({
  entryPoints: [entry],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  logLevel: "error",
});
const child = spawn(process.execPath, ["--expose-gc", outfile, ...args], { stdio: "inherit" });
child.once("exit", (code) => (process.exitCode = code ?? 1));
