/**
 * How much of `score`'s time is the runtime's own: the time inside its session's runs beside all of it, from files on disk
 * to values, networks loaded before. Networks of real size with random weights, pictures of noise over slopes.
 *
 *     node scripts/bench.mjs bench/score.ts [PAIRS SIDE]
 *
 * At the end, what FID's square root takes for two covariances of full rank.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { frechetDistance } from "../src/metrics/frechet.js";
import { RunningMoments } from "../src/metrics/moments.js";
import { pairFolders, readPairs, type PairFiles } from "../src/metrics/pairs.js";
import { METRICS, Scorer, type Metric } from "../src/metrics/score.js";
import { FEATURES } from "../src/models/inception/layout.js";
import { Session } from "../src/runtime/session.js";
import { uniforms } from "../test/support/random-weights.js";
import { numberedPair, writeRandomInception, writeRandomLpips } from "../test/support/score-golden.js";
import { inTemporaryFolder } from "./temporary-folder.js";

const [pairs = "16", side = "512"] = process.argv.slice(2);

let inside = 0;
const run = Object.getOwnPropertyDescriptor(Session.prototype, "run")?.value as Session["run"];
Session.prototype.run = async function (this: Session, ...args: Parameters<Session["run"]>) {
  const begun = performance.now();
  try {
    return await run.apply(this, args);
  } finally {
    inside += performance.now() - begun;
  }
};

async function writePairs(folder: string): Promise<PairFiles[]> {
  const folders = [join(folder, "a"), join(folder, "b")] as const;
  for (const one of folders) await mkdir(one);
  const [count, length] = [Number(pairs), Number(side)];
  for (let i = 0; i < count; i++) {
    for (const [k, { width, height, data }] of numberedPair(i, length, length, count + 1).entries()) {
      await sharp(data, { raw: { width, height, channels: 3 } })
        .png()
        .toFile(join(folders[k]!, `${i}.png`));
    }
  }
  return pairFolders(...folders);
}

async function measure(files: readonly PairFiles[], metrics: readonly Metric[], folder: string): Promise<void> {
  const lpips = { alexNet: join(folder, "alexnet.pth"), linear: join(folder, "alex.pth") };
  const scorer = await Scorer.load({ device: "cpu", metrics, lpips, inception: join(folder, "inception.pth") });
  for await (const pair of readPairs(files.slice(0, 1))) await scorer.add(pair); // what only a first run does
  inside = 0;
  const begun = performance.now();
  for await (const pair of readPairs(files)) await scorer.add(pair);
  await scorer.scores();
  const total = performance.now() - begun;
  await scorer.dispose();
  const seconds = [total, inside].map((ms) => (ms / 1000).toFixed(2));
  const share = `${((100 * inside) / total).toFixed(0)} %`;
  console.log(`${metrics.join(",").padEnd(24)} ${seconds[0]!} s, ${seconds[1]!} s in the runtime: ${share}`);
}

/** Moments of more vectors than dimensions, so that nothing is singular. */
function fullRank(name: string): RunningMoments {
  const moments = new RunningMoments(FEATURES);
  for (let i = 0; i < FEATURES + 100; i++) {
    moments.add(uniforms(`${name} ${i}`, FEATURES).map((value, k) => value * 0.998 ** k));
  }
  return moments;
}

await inTemporaryFolder(async (folder) => {
  writeRandomLpips(folder);
  writeRandomInception(folder);
  const files = await writePairs(folder);
  console.log(`${pairs} pairs of ${side}x${side}`);
  for (const metrics of [["lpips"], ["fid", "kid"], ["lpips", "fid", "kid"], METRICS] as const) {
    await measure(files, metrics, folder);
  }
  const [a, b] = [fullRank("a").moments(), fullRank("b").moments()];
  const begun = performance.now();
  const distance = await frechetDistance(a, b);
  console.log(
    `FID of ${FEATURES} dimensions, full rank: ${((performance.now() - begun) / 1000).toFixed(1)} s (${distance.toFixed(3)})`,
  );
});
