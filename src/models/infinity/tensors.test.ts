import { describe, expect, it } from "vitest";
import { emptyTensors, publishedShapes } from "../../../test/support/manifests.js";
import { ModelError } from "../../errors.js";
import type { Tensors } from "../manifest.js";
import {
  checkInfinity,
  inferInfinityConfig,
  infinityTensors,
  publishedInfinity,
  type InfinitySizes,
} from "./tensors.js";

const SMALL: InfinitySizes = {
  depth: 4,
  width: 128,
  heads: 4,
  hidden: 512,
  textChannels: 256,
  textLength: 512,
  bits: 16,
  chunks: 2,
  levels: 15,
};

/** The small model with some tensors replaced (by a shape) or taken away (by null). */
function small(changes: Readonly<Record<string, readonly number[] | null>> = {}): Tensors {
  const shapes = new Map([...infinityTensors(SMALL), ...Object.entries(changes)]);
  return emptyTensors([...shapes].flatMap(([name, shape]) => (shape ? [[name, shape] as const] : [])));
}

describe("published transformers", () => {
  it.each([
    ["infinity_2b", { depth: 32, width: 2048, heads: 16, hidden: 8192, bits: 32, chunks: 8 }],
    ["infinity_8b", { depth: 40, width: 3584, heads: 28, hidden: 14336, bits: 56, chunks: 8 }],
  ])("reads the sizes of %s off its tensors and expects exactly those", (name, sizes) => {
    const shapes = publishedShapes(name).transformer;
    const inferred = inferInfinityConfig(emptyTensors(shapes), name);
    expect(inferred).toEqual({ ...sizes, textChannels: 2048, textLength: 512, levels: 15 });
    expect(Object.fromEntries(infinityTensors(inferred))).toEqual(Object.fromEntries(shapes));
  });
});

describe("inferInfinityConfig", () => {
  it.each([1, 2, 4])("gives back the sizes a manifest was made of (%i chunks)", (chunks) => {
    const sizes = { ...SMALL, chunks };
    expect(inferInfinityConfig(emptyTensors(infinityTensors(sizes)), "file")).toEqual(sizes);
  });

  it("takes the unconditional text as long as it is", () => {
    expect(inferInfinityConfig(small({ cfg_uncond: [77, 256] }), "file").textLength).toBe(77);
  });

  const block = "block_chunks.0.module.0";
  it.each([
    ["class_emb.weight", "a class-conditional model (VAR)"],
    [`${block}.ffn.fcg.weight`, "a SwiGLU feed-forward layer"],
    [`${block}.ada_lin.1.weight`, "an adaptive layer norm of each block's own"],
    [`${block}.ca_gamma`, "a scale on the cross-attention"],
    ["norm0_ve.weight", "a norm before the word embedding"],
    ["head.2.weight", "a head of several layers"],
  ])("refuses a model with %s", (name, meaning) => {
    expect(() => inferInfinityConfig(small({ [name]: [1] }), "file")).toThrow(
      new ModelError(`file: ${meaning} is not supported (tensor ${name})`),
    );
  });

  it.each([
    [
      { [`${block}.ca_norm.bias`]: null },
      `RMS norm in the blocks is not supported (tensor ${block}.ca_norm.bias is missing)`,
    ],
    [{ "head.weight": [65536, 128] }, "head.weight has 65536 rows, expected 2 for each of 16 bits (32)"],
    [{ pos_start: null }, "tensor pos_start is missing"],
    [{ [`${block}.sa.scale_mul_1H11`]: [1, 3, 1, 1] }, "width of a head: 128 is not a multiple of 3"],
    [{ [`${block}.sa.scale_mul_1H11`]: [1, 64, 1, 1] }, "rotary embedding of a head: 2 is not a multiple of 4"],
    [{ cfg_uncond: [512, 200] }, "heads of the text pooling: 200 is not a multiple of 128"],
    [{ "block_chunks.1.module.9.ada_gss": [1] }, "blocks in a chunk: 5 is not a multiple of 2"],
  ])("refuses sizes that contradict each other %#", (changes, message) => {
    expect(() => inferInfinityConfig(small(changes), "file")).toThrow(new ModelError(`file: ${message}`));
  });

  it("refuses a file without blocks", () => {
    expect(() => inferInfinityConfig(emptyTensors([["pos_start", [1, 1, 128]]]), "file")).toThrow(
      /no transformer block/,
    );
  });
});

describe("publishedInfinity", () => {
  it("leaves the buffers of training out", () => {
    const buffers = {
      lvl_1L: [1, 9],
      attn_bias_for_masking: [1, 1, 9, 9],
      Infinity_visible_kvlen: [9],
      Infinity_invisible_qlen: [9],
    };
    expect([...publishedInfinity(small(buffers)).keys()]).toEqual([...small().keys()]);
  });

  it("reads the attention scale of the flash-attention variant", () => {
    const name = "block_chunks.0.module.1.sa.scale_mul_1H11";
    const published = publishedInfinity(small({ [name]: [1, 1, 4, 1] }));
    expect(published.get(name)).toMatchObject({ shape: [1, 4, 1, 1], strides: [4, 1, 4, 1] });
    expect(() => {
      checkInfinity(published, SMALL, "file");
    }).not.toThrow();
  });
});

describe("checkInfinity", () => {
  it("names the file, the tensor and both shapes", () => {
    expect(() => {
      checkInfinity(small({ "block_chunks.1.module.1.ffn.fc2.weight": [128, 384] }), SMALL, "weights/x.pth");
    }).toThrow(
      /^weights\/x\.pth: .*: block_chunks\.1\.module\.1\.ffn\.fc2\.weight is \[128, 384\], expected \[128, 512\]$/,
    );
  });
});
