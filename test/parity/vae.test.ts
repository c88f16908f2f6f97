/**
 * The autoencoder and the code arithmetic against the published PyTorch code run on a CPU in fp32.
 *
 * Images must agree within 1 level on average and 3 levels on 99.9 % of values. They do far better: float32 sums in
 * another order move a value by about 1e-5, and a level is cut off, so one value in some thousand lands one level off.
 */
import { afterAll, describe, expect, it } from "vitest";
import { CodeAccumulator } from "../../src/models/bsq-vae/accumulator.js";
import { mapSize } from "../../src/models/bsq-vae/codes.js";
import type { RgbImages } from "../../src/models/bsq-vae/image.js";
import type { Vae } from "../../src/models/bsq-vae/vae.js";
import { openCase, openVae, valuesOf, type GoldenCase } from "../support/golden.js";

const DECODED = [
  "full-006m",
  "full-006m-batch3",
  "full-006m-layer-guidance",
  "full-006m-negative",
  "full-006m-no-guidance",
  "full-006m-patchify",
  "full-006m-tall",
  "full-006m-wide",
  "greedy-full-006m",
  "greedy-full-006m-patchify",
];
const ENCODED = ["vae-encode", "vae-encode-patchify-wide"];

const vaes = new Map<string, Promise<Vae>>();

function vaeOf({ model }: GoldenCase): Promise<Vae> {
  const vae = vaes.get(model) ?? openVae(model);
  vaes.set(model, vae);
  return vae;
}

afterAll(async () => {
  for (const vae of vaes.values()) await (await vae).dispose();
});

/** The sum of a case's codes; its bits lie in the layout of the map, forced ones among the inputs. */
async function accumulate(golden: GoldenCase, bits: number): Promise<CodeAccumulator> {
  const patchify = golden.model === "patchify";
  const codes = new CodeAccumulator(golden.schedule, { batch: golden.batch, bits, patchify });
  const tensors = golden.inputs.has("bits.0") ? golden.inputs : golden.expected;
  for (const scale of golden.schedule.keys()) {
    codes.addMap(scale, Uint8Array.from(await valuesOf(tensors, `bits.${scale}`)));
  }
  return codes;
}

async function levels(golden: GoldenCase, source: "inputs" | "expected"): Promise<Uint8Array> {
  return Uint8Array.from(await valuesOf(golden[source], "image"));
}

/** Mean and largest difference in levels, and the share of values that differ at all. */
function compare(image: RgbImages, expected: Uint8Array): { mean: number; largest: number; share: number } {
  expect(image.data.length).toBe(expected.length);
  const differences = Array.from(image.data, (level, i) => Math.abs(level - expected[i]!));
  return {
    mean: differences.reduce((sum, value) => sum + value, 0) / differences.length,
    largest: differences.reduce((a, b) => Math.max(a, b), 0),
    share: differences.filter((value) => value > 0).length / differences.length,
  };
}

describe("decoder", () => {
  it.each(DECODED)("%s", async (name) => {
    const golden = await openCase(name);
    const vae = await vaeOf(golden);
    const { summed } = await accumulate(golden, vae.config.bits);
    const { largest, share } = compare(await vae.decode(summed), await levels(golden, "expected"));
    console.log(name, largest, share);
    expect(largest).toBeLessThanOrEqual(1);
    expect(share).toBeLessThan(1e-3);
  });
});

describe("encoder", () => {
  it.each(ENCODED)("%s", async (name) => {
    const golden = await openCase(name);
    const vae = await vaeOf(golden);
    const patchify = golden.model === "patchify";
    const maps = golden.schedule.map((size) => mapSize(size, patchify));
    const { height, width } = maps.at(-1)!;
    const pixels = { height: height * vae.config.stride, width: width * vae.config.stride };
    const images = { batch: 1, ...pixels, data: await levels(golden, "inputs") };

    const features = await vae.features(images);
    const expected = await valuesOf(golden.expected, "features");
    let e = 0;
    expected.forEach((v, i) => { e = Math.max(e, Math.abs(v - features.data[i]!)); });
    console.log(name, "features", e);

    const { bits, codes } = await vae.encode(images, maps);
    for (const [scale, found] of bits.entries()) {
      const want = await valuesOf(golden.expected, `bits.${scale}`);
      console.log(scale, found.filter((b, i) => b !== want[i]).length);
    }
    const c = compare(await vae.decode(codes), await levels(golden, "expected"));
    console.log(c);
    const accumulator = new CodeAccumulator(golden.schedule, { batch: 1, bits: vae.config.bits, patchify });
    for (const [scale, found] of bits.entries()) {
      if (scale > 0) {
        const want = await valuesOf(golden.expected, `input.${scale}`);
        const got = accumulator.features(scale);
        let m = 0; want.forEach((v, i) => { m = Math.max(m, Math.abs(v - got[i]!)); });
        console.log("input", scale, m);
      }
      accumulator.addMap(scale, found);
    }
  });
});
