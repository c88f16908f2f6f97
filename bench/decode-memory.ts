/**
 * What a decode takes: the 2B model's autoencoder at full size (random weights) makes one image, with maps in one strip
 * and in strips of several sizes in turn, each a process of its own. Prints wall and processor seconds, the process's
 * peak above what was loaded, and a hash of the picture.
 *
 *     node scripts/bench.mjs bench/decode-memory.ts [SIDE ROUNDS STRIP_MIB…]
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { closeCheckpoint, subtree } from "../src/checkpoint/checkpoint.js";
import { openCheckpoint } from "../src/checkpoint/open.js";
import type { FeatureMap } from "../src/models/bsq-vae/feature-map.js";
import { inferVaeConfig, publishedVae } from "../src/models/bsq-vae/tensors.js";
import { Vae } from "../src/models/bsq-vae/vae.js";
import { lookupIn } from "../src/models/lookup.js";
import { processMemory } from "../src/runtime/memory.js";
import { writeSyntheticVae } from "./synthetic-model.js";
import { inTemporaryFolder } from "./temporary-folder.js";

const MIB = 2 ** 20;
const [first = "1024", ...rest] = process.argv.slice(2);
await (first === "decode" ? decode(rest) : compare(first, rest));

/** Runs every strip size in turn. `whole` is one strip of any height, `usual` what a decode takes unless told otherwise. */
async function compare(side: string, [rounds = "1", ...sizes]: readonly string[]): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const file = join(folder, "vae.pth");
    await writeSyntheticVae(file);
    for (let round = 0; round < Number(rounds); round++) {
      for (const strip of sizes.length > 0 ? sizes : ["whole", "usual"]) {
        const args = ["scripts/bench.mjs", "bench/decode-memory.ts", "decode", file, side, strip];
        const { stdout } = await promisify(execFile)(process.execPath, args);
        console.log(`${side} x ${side}, strips ${strip.padStart(5)} MiB: ${stdout.trim()}`);
      }
    }
  });
}

/** One decode, after one of a single position, which loads everything. */
async function decode([file = "", side = "", strip = ""]: readonly string[]): Promise<void> {
  const checkpoint = await openCheckpoint(file);
  const tensors = publishedVae(subtree(checkpoint.tensors, ["vae"]), file);
  const config = inferVaeConfig(tensors, file);
  const stripBytes = strip === "usual" ? undefined : strip === "whole" ? Infinity : Number(strip) * MIB;
  const vae = new Vae(config, lookupIn(tensors, file), { device: "cpu", stripBytes });
  const begun = performance.now();
  await vae.decode(waves(config.bits, 1));
  const loading = (performance.now() - begun) / 1000;
  globalThis.gc!();
  const loaded = await processMemory();
  const [started, worked] = [performance.now(), process.cpuUsage()];
  const { data } = await vae.decode(waves(config.bits, Number(side) / config.stride));
  const [seconds, { user, system }] = [(performance.now() - started) / 1000, process.cpuUsage(worked)];
  const { peak } = await processMemory();
  await vae.dispose();
  await closeCheckpoint(checkpoint);
  const mib = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`;
  const hash = createHash("sha256").update(data).digest("hex").slice(0, 8);
  console.log(
    `${seconds.toFixed(1)} s (${((user + system) / 1e6).toFixed(1)} s of processor), ` +
      `peak ${mib(peak - loaded.resident)} above ${mib(loaded.resident)}, loaded in ${loading.toFixed(1)} s, picture ${hash}`,
  );
}

/** Codes that differ everywhere, [1, bits, side, side]. */
function waves(bits: number, side: number): FeatureMap {
  const data = Float32Array.from({ length: bits * side * side }, (_, i) => Math.sin(i * 12.9898) / 2);
  return { batch: 1, channels: bits, height: side, width: side, data };
}
