/**
 * Timed runs of our transformer on the checkpoint and inputs of `pytorch_transformer.py`, after an untimed one;
 * prints one JSON line with the median.
 * Arguments: the folder; then policy, budget and storage type of the cache, the type of the weights, the device, how many
 * runs, after how many seconds of them no other is begun, and what the paths of ONNX Runtime's profile begin with.
 */
import { writeFile } from "node:fs/promises";
import type { KvCache } from "../src/cache/kv-cache.js";
import {
  choosePolicy,
  isHeadwise,
  isMerging,
  type CachePolicyOptions,
  type PolicyName,
} from "../src/cache/registry.js";
import type { StorageType } from "../src/cache/storage.js";
import { openCheckpoint } from "../src/checkpoint/open.js";
import { readFloat32, readNumbers } from "../src/checkpoint/read.js";
import { sliceRows, type StoredTensor } from "../src/checkpoint/tensor.js";
import type { WeightType } from "../src/graph/model.js";
import type { Device } from "../src/runtime/device.js";
import { drawScales } from "../src/generate/draw-scales.js";
import { policyTask } from "../src/generate/policy-task.js";
import { resolveSettings } from "../src/generate/settings.js";
import { CodeAccumulator } from "../src/models/bsq-vae/accumulator.js";
import { mapTokens, PIXEL_CLASSES } from "../src/models/infinity/schedule.js";
import { inferInfinityConfig } from "../src/models/infinity/tensors.js";
import { joinTexts } from "../src/models/infinity/text.js";
import { Transformer } from "../src/models/infinity/transformer.js";
import { lookupIn } from "../src/models/lookup.js";
import { MOST_GARBAGE, processMemory } from "../src/runtime/memory.js";
import { median } from "./in-turn.js";

const GUIDANCE = 3;
const THREADS = 2;
/** Scales of the untimed run before the timed ones on a processor: as many as the smallest published schedule has. */
const WARM_SCALES = 7;

const [folder = "", policy = "full", budget = "10%", storage = "fp32", weights = "fp32", ...how] =
  process.argv.slice(2);
const [device = "cpu", rounds = "1", secondsAtMost = "Infinity", profile] = how;
const asked: CachePolicyOptions = policy === "full" ? {} : { policy: policy as PolicyName, budget };
const checkpoint = await openCheckpoint(`${folder}/infinity.pth`);
const { tensors: inputs } = await openCheckpoint(`${folder}/inputs.pth`);
const lookup = lookupIn(checkpoint.tensors, checkpoint.path);
const config = { ...inferInfinityConfig(checkpoint.tensors, checkpoint.path), patchify: false };
const transformer = await Transformer.load(config, lookup, {
  device: device as Device,
  threads: device === "cpu" ? THREADS : undefined,
  profile,
  storage: storage as StorageType,
  weights: weights as WeightType,
  headwise: isHeadwise(asked),
  merging: isMerging(asked),
});

const input = (name: string): StoredTensor => lookupIn(inputs, folder)(name);
const text = await readFloat32(input("text"));
const scales = inputs.size - 1;
const bits: Uint8Array[] = [];
for (let k = 0; k < scales; k++) bits.push(Uint8Array.from(await readNumbers(input(`bits.${k}`))));
const pixels = PIXEL_CLASSES.find((name) => settingsOf(name).schedule.maps.length === scales)!;

function settingsOf(name: (typeof PIXEL_CLASSES)[number]): ReturnType<typeof resolveSettings> {
  const defaults = { pixels: name, guidance: GUIDANCE, temperature: 1 };
  return resolveSettings({ topK: 1 }, defaults, { images: 1, depth: config.depth });
}

let cachePeak = 0;
let working = 0;
let commitSeconds = 0;

/** Counts the time that the cache takes to judge, choose and move tokens. */
function timed(cache: KvCache): KvCache {
  const commit = cache.commit.bind(cache);
  cache.commit = async (...what) => {
    const begun = performance.now();
    const kept = await commit(...what);
    commitSeconds += (performance.now() - begun) / 1000;
    return kept;
  };
  return cache;
}

/** Draws the first `count` scales and returns the last one's logits. */
async function draw(count: number, options = asked): Promise<Float32Array> {
  const whole = settingsOf(pixels);
  const settings = { ...whole, schedule: { ...whole.schedule, maps: whole.schedule.maps.slice(0, count) } };
  const unconditional = await readFloat32(sliceRows(lookup("cfg_uncond"), 0, text.length / config.textChannels));
  const rows = joinTexts(config, [await transformer.condition(text), await transformer.condition(unconditional)]);
  const task = policyTask(config, settings, { images: 1, storage: storage as StorageType });
  const chosen = choosePolicy(options, task).policy;
  const plan = chosen.plan({ layers: config.depth, heads: config.heads, maps: settings.schedule.maps });
  const cache = timed(transformer.makeCache(2, plan));
  let last = new Float32Array(0);
  await drawScales({
    transformer,
    settings,
    batch: 1,
    text: rows,
    cache,
    codes: new CodeAccumulator(settings.schedule.maps, { batch: 1, bits: config.bits, patchify: false }),
    chooseBits: (scale, [logits]) => {
      last = Float32Array.from(logits!);
      return bits[scale]!;
    },
    checkpoint: () => undefined,
  });
  cachePeak = cache.peak.during;
  working = (transformer.workingBytes(2, plan, mapTokens(settings.schedule.maps.at(-1)!)) ?? 0) + MOST_GARBAGE;
  cache.dispose();
  return last;
}

// A device compiles its kernels when they are first needed, some of them for large scales and for choosing tokens only.
await (device === "cpu" ? draw(Math.min(scales, WARM_SCALES), {}) : draw(scales));
globalThis.gc!();
const { resident: loadedBytes } = await processMemory();
commitSeconds = 0;
const runs: number[] = [];
let logits: Float32Array;
do {
  const begun = performance.now();
  logits = await draw(scales);
  runs.push((performance.now() - begun) / 1000);
} while (runs.length < Number(rounds) && runs.reduce((sum, each) => sum + each, 0) < Number(secondsAtMost));
await writeFile(`${folder}/our-logits.bin`, logits);
const { peak } = await processMemory();
const accountedBytes = loadedBytes + cachePeak + working;
const memory = { loadedBytes, peakBytes: peak, cacheBytes: cachePeak, accountedBytes };
const time = {
  seconds: Number(median(runs).toFixed(3)),
  runs: runs.map((seconds) => Number(seconds.toFixed(3))),
  commitSeconds: Number((commitSeconds / runs.length).toFixed(3)),
};
console.log(JSON.stringify({ engine: "scalekv", policy, ...time, ...memory }));
await transformer.dispose();
