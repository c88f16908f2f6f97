/**
 * What a batch adds to an image: nothing. Bits hide small differences of the logits they are drawn from, so here the
 * logits themselves are compared, bit by bit.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { full } from "../../src/cache/policies/full.js";
import { drawScales } from "../../src/generate/draw-scales.js";
import { sampleBits } from "../../src/generate/sampling.js";
import { resolveSettings } from "../../src/generate/settings.js";
import type { DrawOptions } from "../../src/generate/types.js";
import { CodeAccumulator } from "../../src/models/bsq-vae/accumulator.js";
import { CPU_WEIGHT_TYPES, type WeightType } from "../../src/graph/model.js";
import type { ImageModelFiles } from "../../src/models/assemble.js";
import { resolveModel } from "../../src/models/folder.js";
import { joinTexts, type TextCondition } from "../../src/models/infinity/text.js";
import { Transformer } from "../../src/models/infinity/transformer.js";
import { lookupIn } from "../../src/models/lookup.js";

/** Lengths in tokens: beside 130 the others are padded to 192, alone to 64. */
const LENGTHS = [7, 130, 40];
const SEEDS = [5, 6, 7];

let files: ImageModelFiles;

beforeAll(async () => {
  files = await resolveModel("tiny", { textEncoder: false });
});
afterAll(() => files.close());

/** A transformer, what each text means to it, and what stands for its absence. */
interface Loaded {
  readonly transformer: Transformer;
  readonly texts: readonly TextCondition[];
  readonly absent: readonly TextCondition[];
}

async function load(weights: WeightType): Promise<Loaded> {
  const { config, tensors, path } = files.infinity;
  const transformer = await Transformer.load(config, lookupIn(tensors, path), { device: "cpu", weights });
  const conditions = (phase: number): Promise<TextCondition[]> =>
    Promise.all(
      LENGTHS.map((tokens, text) => {
        const feature = (_: unknown, i: number): number => Math.sin((phase + text) * i * 0.37);
        return transformer.condition(Float32Array.from({ length: tokens * config.textChannels }, feature));
      }),
    );
  return { transformer, texts: await conditions(1), absent: await conditions(5) };
}

/** Draws some of the texts side by side; gives every image's logits, all scales one after another, as bytes. */
async function logitsOf(
  { transformer, texts, absent }: Loaded,
  chosen: readonly number[],
  options: DrawOptions,
): Promise<Buffer[]> {
  const { infinity, vae, defaults } = files;
  const { config } = infinity;
  const images = { images: chosen.length, depth: config.depth };
  const settings = resolveSettings({ pixels: "0.06M", ...options }, defaults, images);
  const text = joinTexts(
    config,
    [texts, ...(settings.guided ? [absent] : [])].flatMap((all) => chosen.map((i) => all[i]!)),
  );
  const plan = full.plan({ layers: config.depth, heads: config.heads, maps: settings.schedule.maps });
  const layout = { batch: chosen.length, bits: vae.config.bits, patchify: config.patchify };
  const found: Uint8Array[][] = chosen.map(() => []);
  await drawScales({
    ...{ transformer, settings, text, batch: chosen.length },
    cache: transformer.makeCache(text.rows, plan),
    codes: new CodeAccumulator(settings.schedule.maps, layout),
    checkpoint: () => undefined,
    chooseBits: (scale, logits) => {
      const bits = logits.map((image, i) => {
        found[i]!.push(new Uint8Array(image.buffer, image.byteOffset, image.byteLength));
        const tokens = image.length / (2 * config.bits);
        return sampleBits({ logits: image, tokens, bits: config.bits }, settings.limits, SEEDS[chosen[i]!]!, scale);
      });
      return Uint8Array.from(bits.flatMap((image) => [...image]));
    },
  });
  return found.map((scales) => Buffer.concat(scales));
}

describe.each(CPU_WEIGHT_TYPES)("with weights in %s every image has the logits it has alone", (weights) => {
  let loaded: Loaded;

  beforeAll(async () => {
    loaded = await load(weights);
  });
  afterAll(() => loaded.transformer.dispose());

  // The product with blocks rounds a single token by itself otherwise: an image alone, not guided, at the first scale.
  const inBlocks = weights === "q8" || weights === "q4";

  it.each<{ name: string; options: DrawOptions }>([
    { name: "guided on the logits", options: {} },
    { name: "guided after the last layers", options: { guidanceLayers: [-1, -2] } },
    ...(inBlocks ? [] : [{ name: "not guided", options: { guidance: 1 } }]),
  ])("$name", async ({ options }) => {
    const together = await logitsOf(loaded, [0, 1, 2], options);
    // 521 tokens of 16 bits, two logits each.
    expect(together.map(({ byteLength }) => byteLength)).toEqual(new Array(3).fill(521 * 16 * 2 * 4));
    expect(new Set(together.map((logits) => logits.toString("base64"))).size).toBe(3);
    for (const text of [0, 1, 2]) {
      const [alone] = await logitsOf(loaded, [text], options);
      expect(alone?.equals(together[text]!), `text ${text}`).toBe(true);
    }
  });
});
