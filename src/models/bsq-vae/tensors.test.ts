import { describe, expect, it } from "vitest";
import { emptyTensors, publishedShapes } from "../../../test/support/manifests.js";
import { ModelError } from "../../errors.js";
import { checkVae, inferVaeConfig, publishedVae, vaeTensors, wrappedVaeName } from "./tensors.js";

const SMALL = { bits: 16, base: 32, multipliers: [1, 1, 2], blocks: 2, stride: 4 };

/** The small autoencoder's tensors, some of them replaced. */
function small(changes: Readonly<Record<string, readonly number[]>> = {}) {
  return emptyTensors(vaeTensors(SMALL), changes);
}

describe("published autoencoders", () => {
  it.each([
    ["infinity_2b", { bits: 32, base: 128, multipliers: [1, 2, 4, 4, 4], blocks: 2, stride: 16 }],
    ["infinity_8b", { bits: 14, base: 128, multipliers: [1, 2, 4, 4], blocks: 2, stride: 8 }],
  ])("reads the sizes of the one of %s off its tensors and expects exactly those", (name, config) => {
    const tensors = publishedVae(emptyTensors(publishedShapes(name).vae), name);
    expect(inferVaeConfig(tensors, name)).toEqual(config);
    const found = new Map([...tensors].map(([tensor, { shape }]) => [tensor, shape]));
    expect(Object.fromEntries(vaeTensors(config))).toEqual(Object.fromEntries(found));
  });

  it("reads the short names of published files as the long ones", () => {
    const long = publishedShapes("infinity_2b").vae;
    // What the training code's wrapper classes add, taken out again: the last `.conv` or `.norm`.
    const short = [...long].map(([name, shape]) => [name.replace(/\.(conv|norm)\.(\w+)$/, ".$2"), shape] as const);
    expect(short.map(([name]) => name)).toContain("decoder.up.1.upsample.conv.weight");
    const tensors = publishedVae(emptyTensors(short), "file");
    expect([...tensors.keys()].sort()).toEqual([...publishedVae(emptyTensors(long), "file").keys()].sort());
  });
});

describe("wrappedVaeName", () => {
  it.each([
    ["decoder.conv_in.weight", "decoder.conv_in.conv.weight"],
    ["encoder.down.0.downsample.conv.bias", "encoder.down.0.downsample.conv.conv.bias"],
    ["encoder.down.0.downsample.conv.conv.bias", "encoder.down.0.downsample.conv.conv.bias"],
    ["decoder.up.0.block.0.nin_shortcut.weight", "decoder.up.0.block.0.nin_shortcut.conv.weight"],
    ["decoder.norm_out.bias", "decoder.norm_out.norm.bias"],
    ["decoder.mid.block_1.norm2.norm.weight", "decoder.mid.block_1.norm2.norm.weight"],
  ])("%s → %s", (name, long) => {
    expect(wrappedVaeName(name)).toBe(long);
  });
});

describe("publishedVae", () => {
  it("leaves out what is outside encoder and decoder", () => {
    const extra = {
      "quantizer.lfq.mask": [16],
      "image_discriminator.main.0.weight": [64, 3, 4, 4],
      "perceptual_model.lin0.weight": [1],
    };
    expect([...publishedVae(small(extra), "file").keys()]).toEqual([...small().keys()]);
  });

  it("refuses a tensor under both its names", () => {
    expect(() => publishedVae(small({ "decoder.conv_in.weight": [64, 16, 3, 3] }), "file")).toThrow(
      new ModelError("file: tensor decoder.conv_in.conv.weight is given twice, as decoder.conv_in.weight too"),
    );
    const hostile = { "decoder.\u001b.conv_in.conv.weight": [1], "decoder.\u001b.conv_in.weight": [1] };
    expect(() => publishedVae(small(hostile), "file")).toThrow(
      'tensor "decoder.\\u001b.conv_in.conv.weight" is given twice, as "decoder.\\u001b.conv_in.weight" too',
    );
  });
});

describe("inferVaeConfig", () => {
  it("gives back the sizes a manifest was made of", () => {
    expect(inferVaeConfig(small(), "file")).toEqual(SMALL);
  });

  it.each([
    [{ "decoder.mid.attn_1.q.conv.weight": [64, 64, 1, 1] }, "attention in an autoencoder is not supported"],
    [
      { "post_quant_conv.weight": [32, 32, 3, 3] },
      "a convolution around the quantiser (VAR's autoencoder) is not supported",
    ],
    [{ "decoder.conv_in.conv.weight": [64, 16, 3, 3, 3] }, "a video autoencoder is not supported"],
    [{ "decoder.up.2.block.0.conv1.conv.weight": [40, 64, 3, 3] }, "40 channels are a multiple of neither 32 nor 24"],
    [{ "decoder.up.2.block.0.conv1.conv.weight": [48, 64, 3, 3] }, "channels of level 2: 48 is not a multiple of 32"],
  ])("refuses what it does not run %#", (changes, message) => {
    expect(() => inferVaeConfig(small(changes), "file")).toThrow(`file: ${message}`);
  });
});

describe("checkVae", () => {
  it("refuses an encoder that ends in means and variances", () => {
    expect(() => {
      checkVae(small({ "encoder.conv_out.conv.weight": [32, 64, 3, 3] }), SMALL, "file");
    }).toThrow(/encoder\.conv_out\.conv\.weight is \[32, 64, 3, 3\], expected \[16, 64, 3, 3\]$/);
  });
});
