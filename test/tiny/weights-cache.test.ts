/** Weights in blocks that are kept on disk: the same image, made once, and anew when the checkpoint changes. */
import { cp, readdir, stat, truncate, utimes } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { Engine } from "../../src/generate/engine.js";
import type { PipelineOptions } from "../../src/generate/types.js";
import { resolveModel } from "../../src/models/folder.js";
import { inTemporaryFolder } from "../support/temporary.js";

const LAYERS = 4;

async function draw(model: string, options: PipelineOptions): Promise<Uint8Array> {
  const engine = await Engine.load(model, { weights: "q8", ...options }, resolveModel);
  try {
    return (await engine.draw(["a fox"], { pixels: "0.06M" })).image.data;
  } finally {
    await engine.dispose();
  }
}

it("draws the same from kept weights, which are made once for a checkpoint and again when it changes", () =>
  inTemporaryFolder(async (folder) => {
    const [model, cache] = [join(folder, "model"), join(folder, "cache")];
    await cp("models/tiny", model, { recursive: true });
    vi.stubEnv("SCALEKV_CACHE", cache);
    try {
      const anew = await draw(model, { weightsCache: false });
      await expect(readdir(cache)).rejects.toThrow("ENOENT");
      expect(await draw(model, {})).toEqual(anew);
      const weights = join(cache, "weights");
      const files = await readdir(weights);
      // One file a layer, and one for what texts mean.
      expect(files).toHaveLength(LAYERS + 1);

      const made = async (): Promise<number[]> =>
        Promise.all(files.map(async (name) => (await stat(join(weights, name))).ino));
      const before = await made();
      expect(await draw(model, {})).toEqual(anew);
      expect(await made()).toEqual(before);

      await truncate(join(weights, files[0]!), 5000);
      expect(await draw(model, {})).toEqual(anew);
      const after = await made();
      expect(after.filter((inode, i) => inode !== before[i])).toHaveLength(1);

      await utimes(join(model, "infinity.pth"), 1, 1);
      expect(await draw(model, {})).toEqual(anew);
      expect(await readdir(weights)).toHaveLength(2 * (LAYERS + 1));
      expect(await draw(model, { weights: "fp32" })).not.toEqual(anew);
    } finally {
      vi.unstubAllEnvs();
    }
  }));
