import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { fakeResult } from "../../test/support/report.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import type { CachePolicyOptions, DrawResult } from "../generate/types.js";
import { compare, prepareComparison, type DrawOnce } from "./compare.js";
import type { Outputs } from "./outputs.js";

const SIDE = 8;

function outputsIn(folder: string, ...names: string[]): Outputs {
  const files = names.map((name) => join(folder, name));
  return { files, encoding: { format: "png", quality: 100 }, previews: undefined };
}

/** Flat images: 100 + the prompt's number with the full cache, `off` levels more with another. */
function drawn(prompts: number, cache: CachePolicyOptions | undefined, off: number): DrawResult {
  const policy = cache?.policy ?? "scalekv";
  const images = Array.from({ length: prompts }, (_, i) => ({
    width: SIDE,
    height: SIDE,
    data: new Uint8Array(SIDE * SIDE * 3).fill(100 + i + (policy === "full" ? 0 : off)),
    prompt: `prompt ${i}`,
    seed: 7,
  }));
  return fakeResult(images, { policy });
}

describe("prepareComparison", () => {
  it("names the further files by the image's", () =>
    inTemporaryFolder(async (folder) => {
      const outputs = outputsIn(folder, "fox-0.png", "fox-1.png");
      const { compressed, full, pictures } = await prepareComparison(outputs, { policy: "scalekv" });
      expect(compressed).toBe(outputs);
      expect(full).toEqual(outputsIn(folder, "fox-0-full.png", "fox-1-full.png"));
      expect(pictures).toEqual(outputsIn(folder, "fox-0-compare.png", "fox-1-compare.png").files);
    }));

  it("refuses to compare the full cache with itself", () =>
    inTemporaryFolder(async (folder) => {
      const message = "--compare: --policy full is one side of it; name the other";
      for (const cache of [undefined, {}, { policy: "full" }, { storage: "int8" }] as const) {
        await expect(prepareComparison(outputsIn(folder, "fox.png"), cache)).rejects.toThrow(message);
      }
    }));

  it.each(["fox-full.png", "fox-compare.png"])("refuses where %s cannot be written", (name) =>
    inTemporaryFolder(async (folder) => {
      await mkdir(join(folder, name));
      await expect(prepareComparison(outputsIn(folder, "fox.png"), { policy: "scalekv" })).rejects.toThrow(
        `${join(folder, name)}: cannot be written: it is a folder`,
      );
    }),
  );
});

describe("compare", () => {
  it("draws the compressed cache first, measures every pair and writes three files a prompt", () =>
    inTemporaryFolder(async (folder) => {
      const outputs = await prepareComparison(outputsIn(folder, "0.png", "1.png"), { policy: "scalekv" });
      const calls: unknown[] = [];
      const drawOnce: DrawOnce = (target, cache) => {
        calls.push([target, cache]);
        return Promise.resolve(drawn(2, cache, 51));
      };
      const { full, compressed, likenesses } = await compare(drawOnce, outputs);
      expect(calls).toEqual([
        [outputs.compressed, undefined],
        [outputs.full, { policy: "full" }],
      ]);
      expect([compressed.report.policy, full.report.policy]).toEqual(["scalekv", "full"]);
      // A fifth of the range everywhere.
      for (const { psnr } of likenesses) expect(psnr).toBeCloseTo(20 * Math.log10(5), 12);
      expect((await readdir(folder)).sort()).toEqual(
        ["0", "1"].flatMap((name) => [`${name}-compare.png`, `${name}-full.png`, `${name}.png`]).sort(),
      );
      const level = async (file: string, left = 0): Promise<number | undefined> =>
        (await sharp(join(folder, file)).extract({ left, top: 0, width: 1, height: 1 }).raw().toBuffer())[0];
      expect([await level("1.png"), await level("1-full.png")]).toEqual([152, 101]);
      // full | gap of 8 | compressed
      expect([await level("1-compare.png"), await level("1-compare.png", SIDE + 8)]).toEqual([101, 152]);
    }));

  it("writes nothing where the second run fails", () =>
    inTemporaryFolder(async (folder) => {
      const outputs = await prepareComparison(outputsIn(folder, "fox.png"), { policy: "scalekv" });
      const drawOnce: DrawOnce = (_target, cache) =>
        cache ? Promise.reject(new Error("no memory")) : Promise.resolve(drawn(1, cache, 0));
      await expect(compare(drawOnce, outputs)).rejects.toThrow("no memory");
      expect(await readdir(folder)).toEqual([]);
    }));
});
