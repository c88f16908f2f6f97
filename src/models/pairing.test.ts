import { describe, expect, it } from "vitest";
import { emptyTensors, publishedShapes } from "../../test/support/manifests.js";
import { ModelError } from "../errors.js";
import { inferVaeConfig, publishedVae } from "./bsq-vae/tensors.js";
import { PUBLISHED_MODELS, publishedBySize } from "./catalogue.js";
import { inferInfinityConfig } from "./infinity/tensors.js";
import { pairWithVae, pixelsPerToken } from "./pairing.js";
import { findPart, recognise } from "./parts.js";

const shapes2b = publishedShapes("infinity_2b");
const shapes8b = publishedShapes("infinity_8b");
const sizes2b = inferInfinityConfig(emptyTensors(shapes2b.transformer), "2b");
const sizes8b = inferInfinityConfig(emptyTensors(shapes8b.transformer), "8b");
const vae32 = inferVaeConfig(publishedVae(emptyTensors(shapes2b.vae), "vae"), "vae");
const vae14 = inferVaeConfig(publishedVae(emptyTensors(shapes8b.vae), "vae"), "vae");
const files = (vae: string) => ({ infinity: "w/model.pth", vae: `w/${vae}` });

describe("pairWithVae", () => {
  it("sees the patches of the 8B model by its autoencoder's bits", () => {
    expect(pairWithVae(sizes2b, vae32, files("vae.pth"))).toEqual({ ...sizes2b, patchify: false });
    expect(pairWithVae(sizes8b, vae14, files("vae.pth"))).toEqual({ ...sizes8b, patchify: true });
  });

  it.each(["infinity_vae_d32reg.pth", "infinity_vae_d32_reg.pth"])("takes %s for the 2B model", (name) => {
    expect(pairWithVae(sizes2b, vae32, files(name)).patchify).toBe(false);
  });

  it("refuses infinity_vae_d32.pth for the 2B model, whose shapes fit, by its name", () => {
    expect(() => pairWithVae(sizes2b, vae32, files("infinity_vae_d32.pth"))).toThrow(
      new ModelError("w/infinity_vae_d32.pth: a wrong VAE: Infinity 2B works only with infinity_vae_d32reg.pth"),
    );
  });

  it("refuses other bits, whatever the file is called", () => {
    expect(() => pairWithVae(sizes2b, { ...vae32, bits: 16 }, files("vae.pth"))).toThrow(
      new ModelError(
        "w/vae.pth: a wrong VAE: its 16 bits do not make the 32 bits of a token of w/model.pth; Infinity 2B works only with infinity_vae_d32reg.pth",
      ),
    );
  });

  it("refuses tokens of a published model that do not stand for 16 pixels", () => {
    expect(() => pairWithVae(sizes2b, { ...vae14, bits: 32 }, files("vae.pth"))).toThrow(
      new ModelError(
        "w/vae.pth: a wrong VAE: a token of w/model.pth would be 8 pixels wide, not 16; Infinity 2B works only with infinity_vae_d32reg.pth",
      ),
    );
  });

  it("leaves the pixels of a token to models of their own size", () => {
    const config = pairWithVae({ ...sizes2b, depth: 3 }, { ...vae14, bits: 32 }, files("vae.pth"));
    expect(pixelsPerToken(config, vae14)).toBe(8);
    expect(pixelsPerToken({ patchify: true }, vae14)).toBe(16);
  });
});

describe("publishedBySize", () => {
  it("tells the two 8B models apart by their folders", () => {
    expect(publishedBySize(sizes8b, "w/infinity_8b_512x512_weights/model.safetensors.index.json")[0]?.name).toBe(
      "infinity-8b-512",
    );
    expect(publishedBySize(sizes8b, "w/infinity_8b_weights/x.index.json")[0]?.name).toBe("infinity-8b");
    expect(publishedBySize({ ...sizes8b, heads: 14 })).toEqual([]);
  });
});

describe("recognise", () => {
  it.each([
    [shapes2b.transformer, "", "Infinity 2B (depth 32, width 2048, 16 heads, 32 bits a token)"],
    [shapes2b.transformer, "trainer.gpt_fsdp.", "Infinity 2B (depth 32, width 2048, 16 heads, 32 bits a token)"],
    [
      shapes8b.transformer,
      "",
      "Infinity 8B or Infinity 8B, 512 × 512 (depth 40, width 3584, 28 heads, 56 bits a token)",
    ],
    [shapes2b.vae, "vae.", "infinity_vae_d32.pth or infinity_vae_d32reg.pth (32 bits, stride 16)"],
    [shapes8b.vae, "ema.", "infinity_vae_d56_f8_14_patchify.pth (14 bits, stride 8)"],
  ])("knows published checkpoints under any nesting %#", (shapes, prefix, title) => {
    const nested = [...shapes].map(([name, shape]) => [prefix + name, shape] as const);
    expect(recognise(emptyTensors(nested))).toBe(title);
  });

  it("prefers `vae` where a file has `ema` too", () => {
    const both = ["ema.", "vae."].flatMap((prefix) =>
      [...shapes2b.vae].map(([name, shape]) => [prefix + name, shape] as const),
    );
    expect(findPart(emptyTensors(both))).toEqual({ part: "vae", nesting: "vae" });
  });

  it("does not know anything else", () => {
    expect(recognise(emptyTensors([["lora.weight", [1]]]))).toBeUndefined();
  });
});

describe("PUBLISHED_MODELS", () => {
  it("can all be told from each other by size or by file", () => {
    const signs = PUBLISHED_MODELS.map(({ sizes, bits, transformer }) => `${sizes} ${bits} ${transformer}`);
    expect(new Set(signs).size).toBe(PUBLISHED_MODELS.length);
  });
});
