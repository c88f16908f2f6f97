/** Runs in the page: a case with known answers through the transformer on one of the browser's devices. */
import { full } from "../../src/cache/policies/full.js";
import { openCheckpointAt } from "../../src/checkpoint/open-http.js";
import { readFloat32, readNumbers } from "../../src/checkpoint/read.js";
import { sliceRows, type StoredTensor } from "../../src/checkpoint/tensor.js";
import { drawScales } from "../../src/generate/draw-scales.js";
import { resolveSettings } from "../../src/generate/settings.js";
import { CodeAccumulator } from "../../src/models/bsq-vae/accumulator.js";
import { inferInfinityConfig, publishedInfinity } from "../../src/models/infinity/tensors.js";
import { joinTexts } from "../../src/models/infinity/text.js";
import { Transformer } from "../../src/models/infinity/transformer.js";
import { lookupIn, type Lookup } from "../../src/models/lookup.js";
import type { Device } from "../../src/runtime/device.js";

declare global {
  interface Window {
    /**
     * Guided logits of the first scales of the case full-006m, [tokens, 2 · bits] each; its bits are forced. Headwise,
     * every head has a cache of its own.
     */
    logits(device: Device, scales: number, headwise: boolean): Promise<number[][]>;
  }
}

const GOLDEN = "/test/golden";
const GUIDANCE = 3;

async function open(path: string): Promise<{ tensors: ReadonlyMap<string, StoredTensor>; lookup: Lookup }> {
  const { tensors: stored } = await openCheckpointAt(new URL(GOLDEN + path, document.baseURI).href);
  const tensors = stored.has("pos_start") ? publishedInfinity(stored) : stored;
  return { tensors, lookup: lookupIn(tensors, path) };
}

window.logits = async (device, scales, headwise) => {
  const { tensors, lookup } = await open("/models/tiny/infinity.pth");
  const { lookup: input } = await open("/cases/full-006m/case.safetensors");
  const config = { ...inferInfinityConfig(tensors, "tiny"), patchify: false };
  const defaults = { pixels: "0.06M", guidance: GUIDANCE, temperature: 1 } as const;
  const whole = resolveSettings({}, defaults, { images: 1, depth: config.depth });
  const { maps } = whole.schedule;
  const settings = { ...whole, schedule: { ...whole.schedule, maps: maps.slice(0, scales) } };
  const forced = await Promise.all(maps.map((_, k) => readNumbers(input(`bits.${k}`))));
  const transformer = await Transformer.load(config, lookup, { device, headwise });
  const features = await readFloat32(input("text.0"));
  const unguided = await readFloat32(sliceRows(lookup("cfg_uncond"), 0, features.length / config.textChannels));
  const text = joinTexts(config, [await transformer.condition(features), await transformer.condition(unguided)]);
  const plan = full.plan({ layers: config.depth, heads: config.heads, maps: settings.schedule.maps });
  const cache = transformer.makeCache(2, plan);
  const codes = new CodeAccumulator(maps, { batch: 1, bits: config.bits, patchify: false });
  const found: number[][] = [];
  const chooseBits = (scale: number, [logits]: readonly Float32Array[]): Uint8Array => {
    found.push([...logits!]);
    return Uint8Array.from(forced[scale]!);
  };
  await drawScales({ transformer, settings, batch: 1, text, cache, codes, chooseBits, checkpoint: () => undefined });
  cache.dispose();
  await transformer.dispose();
  return found;
};
