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

/** What is told of a drawing under way. */
interface Told {
  readonly stage: string;
  readonly scale?: number;
  readonly scales?: number;
  readonly layer?: number;
}

/** Does `work` with the embedded model. */
async function withEngine(work: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await Engine.load("tiny", {}, counted().open);
  try {
    await work(engine);
  } finally {
    await engine.dispose();
  }
}

/** Draws, and gives up once it is told what `until` waits for. */
async function giveUp(engine: Engine, until: (event: Told) => boolean): Promise<void> {
  const controller = new AbortController();
  const onProgress = (event: Told): void => {
    if (until(event)) controller.abort("enough");
  };
  const drawing = engine.draw(["a fox"], { pixels: "0.06M", signal: controller.signal, onProgress });
  await expect(drawing).rejects.toBe("enough");
}

describe("the embedded model", () => {
  it("gives up while it decodes", () =>
    // The last that is told before the decoder begins.
    withEngine((engine) =>
      giveUp(engine, ({ stage, scale, scales, layer }) => stage === "scale" && scale === scales && layer === 4),
    ));

  it("keeps no state of a drawing that was given up", () =>
    withEngine(async (engine) => {
      const clear = vi.spyOn(StateMemory.prototype, "clear");
      await giveUp(engine, ({ stage }) => stage === "scale");
      expect(clear).toHaveBeenCalledOnce();
    }));

  it("refuses a storage type for one call that it was not loaded for", () =>
    withEngine(async (engine) => {
      const cache: CacheOptions = { storage: "int8" };
      const line = "storage int8: the model was loaded for fp32, which no single call changes";
      await expect(engine.draw(["a fox"], { pixels: "0.06M", cache })).rejects.toThrow(new OptionError(line));
    }));

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
