/** How an engine comes to an end; what it draws is tested in test/tiny. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { OptionError } from "../errors.js";
import { StateMemory } from "../models/infinity/host-layer.js";
import { Transformer } from "../models/infinity/transformer.js";
import { Vae } from "../models/bsq-vae/vae.js";
import { resolveModel } from "../models/folder.js";
import type { ModelFiles } from "../models/assemble.js";
import { T5Encoder } from "../models/t5/encoder.js";
import { Engine, type OpenModel } from "./engine.js";
import { ImageModel } from "./image-model.js";
import type { CacheOptions } from "./types.js";

afterEach(() => vi.restoreAllMocks());

/** Opens the embedded model and counts how often it is closed. */
function counted(): { open: OpenModel; closed: () => number } {
  let closed = 0;
  const open: OpenModel = async (name, parts) => {
    const files = await resolveModel(name, parts);
    const close = (): Promise<void> => {
      closed++;
      return files.close();
    };
    return { ...files, close };
  };
  return { open, closed: () => closed };
}

describe("loading", () => {
  it("stops where the signal was aborted while the files were opened, and closes them", async () => {
    const controller = new AbortController();
    const { open, closed } = counted();
    const load = vi.spyOn(T5Encoder, "create");
    const loading = Engine.load("tiny", { signal: controller.signal }, async (name, parts) => {
      const files = await open(name, parts);
      controller.abort("gone");
      return files;
    });
    await expect(loading).rejects.toBe("gone");
    expect(closed()).toBe(1);
    expect(load).not.toHaveBeenCalled();
  });

  it("loads no transformer where the autoencoder is refused", async () => {
    const load = vi.spyOn(Transformer, "load");
    const config = { ...({} as ModelFiles["vae"]["config"]), multipliers: undefined };
    const files = { infinity: {}, vae: { config } } as unknown as ModelFiles;
    await expect(ImageModel.load(files, { device: "cpu" })).rejects.toThrow(TypeError);
    expect(load).not.toHaveBeenCalled();
  });
});

describe("the embedded model", () => {
  it("gives up while it decodes", async () => {
    const { open } = counted();
    const engine = await Engine.load("tiny", {}, open);
    try {
      const controller = new AbortController();
      const onProgress = (event: { stage: string; scale?: number; scales?: number; layer?: number }): void => {
        // The last that is told before the decoder begins.
        if (event.stage === "scale" && event.scale === event.scales && event.layer === 4) controller.abort("enough");
      };
      const drawing = engine.draw(["a fox"], { pixels: "0.06M", signal: controller.signal, onProgress });
      await expect(drawing).rejects.toBe("enough");
    } finally {
      await engine.dispose();
    }
  });

  it("keeps no state of a drawing that was given up", async () => {
    const { open } = counted();
    const engine = await Engine.load("tiny", {}, open);
    try {
      const controller = new AbortController();
      const onProgress = ({ stage }: { stage: string }): void => {
        if (stage === "scale") controller.abort("enough");
      };
      const clear = vi.spyOn(StateMemory.prototype, "clear");
      const drawing = engine.draw(["a fox"], { pixels: "0.06M", signal: controller.signal, onProgress });
      await expect(drawing).rejects.toBe("enough");
      expect(clear).toHaveBeenCalledOnce();
    } finally {
      await engine.dispose();
    }
  });

  it("refuses a storage type for one call that it was not loaded for", async () => {
    const { open } = counted();
    const engine = await Engine.load("tiny", {}, open);
    try {
      const cache: CacheOptions = { storage: "int8" };
      const line = "storage int8: the model was loaded for fp32, which no single call changes";
      await expect(engine.draw(["a fox"], { pixels: "0.06M", cache })).rejects.toThrow(new OptionError(line));
    } finally {
      await engine.dispose();
    }
  });

  it("frees everything, whatever fails, and tells the first failure", async () => {
    const { open, closed } = counted();
    const engine = await Engine.load("tiny", {}, open);
    const failing = (number: number) => () => Promise.reject(new Error(`failure ${number}`));
    // They are left in memory: the test's process ends.
    vi.spyOn(T5Encoder.prototype, "dispose").mockImplementation(failing(1));
    vi.spyOn(Transformer.prototype, "dispose").mockImplementation(failing(2));
    const vae = vi.spyOn(Vae.prototype, "dispose");
    await expect(engine.dispose()).rejects.toThrow("failure 1");
    expect(vae).toHaveBeenCalledTimes(1);
    expect(closed()).toBe(1);
  });
});
