/** The embedded model from prompts to images: what a call promises, with weights that were never trained. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import { Engine } from "../../src/generate/engine.js";
import type { DrawOptions, DrawProgress, DrawResult, PipelineOptions, ScalePreview } from "../../src/generate/types.js";
import { resolveModel } from "../../src/models/folder.js";

const FOX = "a red fox in the snow";
/** More than 64 tokens, so that shorter texts beside it are padded further than alone. */
const LONG = `${"a lighthouse on a high cliff above the sea, ".repeat(12)}in the evening`;
const PROMPTS = [FOX, "", LONG];
/** Maps of 0.06M at 1:1, and the tokens of all but the last. */
const SIDES = [1, 2, 4, 6, 8, 12, 16];
const HISTORY = 265;
const SMALL: DrawOptions = { pixels: "0.06M" };
/** Bytes a cached token takes: 4 layers of width 128, keys and values as float32. */
const TOKEN_BYTES = 4 * 128 * 2 * 4;

let engine: Engine;
/** {@link FOX} with seed 7, which the other tests compare with. */
let fox: DrawResult;
/** {@link PROMPTS} in one batch, the fox again with seed 7. */
let batch: DrawResult;
/** The fox without guidance. */
let unguided: DrawResult;

beforeAll(async () => {
  engine = await Engine.load("tiny", {}, resolveModel);
  fox = await draw(FOX, { seed: 7 });
  batch = await draw(PROMPTS, { seed: [7, 3, 2 ** 32 - 1] });
  unguided = await draw(FOX, { seed: 7, guidance: 1 });
});
afterAll(() => engine.dispose());

function draw(prompts: string | readonly string[], options: DrawOptions = {}): Promise<DrawResult> {
  return engine.draw([prompts].flat(), { ...SMALL, ...options });
}

/** Images are compared as text: vitest takes seconds to compare typed arrays of this size. */
function bytesOf({ image }: Pick<DrawResult, "image">): string {
  return Buffer.from(image.data).toString("base64");
}

describe("an image", () => {
  it("has its size, its prompt and its seed, and is no single colour", () => {
    const { data, ...rest } = fox.image;
    expect(rest).toEqual({ width: 256, height: 256, prompt: FOX, seed: 7 });
    expect(data).toHaveLength(256 * 256 * 3);
    expect(new Set(data).size).toBeGreaterThan(16);
  });

  it("is the same in any batch, beside any other prompts", async () => {
    const { images, image } = batch;
    expect(images.map(({ prompt, seed }) => [prompt, seed])).toEqual([
      [FOX, 7],
      ["", 3],
      [LONG, 2 ** 32 - 1],
    ]);
    expect(image).toBe(images[0]);
    expect(bytesOf({ image })).toBe(bytesOf(fox));
    for (const together of images.slice(1)) {
      const alone = await draw(together.prompt, { seed: together.seed });
      expect(bytesOf({ image: together })).toBe(bytesOf(alone));
    }
  });

  it("is another for another seed, prompt, guidance or negative prompt", async () => {
    const others = [await draw(FOX, { seed: 8 }), await draw("a red fox", { seed: 7 })];
    const negative = await draw(FOX, { seed: 7, negative: "snow" });
    expect(new Set([fox, unguided, negative, ...others].map(bytesOf)).size).toBe(5);
  });

  it("may be asked for with any size; the nearest published one is drawn", async () => {
    const { image, report } = await engine.draw([FOX], { size: { width: 300, height: 170 } });
    expect([image.width, image.height, image.data.length]).toEqual([336, 192, 336 * 192 * 3]);
    expect(report.schedule.at(-1)).toEqual({ height: 12, width: 21 });
  });

  it("is refused before any work where an option is out of range", async () => {
    const seen: DrawProgress[] = [];
    const drawing = draw(FOX, { topP: 2, onProgress: (event) => seen.push(event) });
    await expect(drawing).rejects.toThrow(new OptionError("top-p 2: must be from 0 to 1"));
    expect(seen).toEqual([]);
  });
});

describe("previews", () => {
  it("come after every scale but the last, one for each prompt, and change nothing", async () => {
    const previews: ScalePreview[] = [];
    const result = await draw(FOX, { seed: 7, onScale: (preview) => void previews.push(preview) });
    const expected = [0, 1, 2, 3, 4, 5].map((scale) => ({ scale, scales: 7 }));
    expect(previews.map(({ scale, scales }) => ({ scale, scales }))).toEqual(expected);
    for (const { images } of previews) {
      const found = images.map(({ data, ...rest }) => ({ ...rest, length: data.length }));
      expect(found).toEqual([{ width: 256, height: 256, prompt: FOX, seed: 7, length: 256 * 256 * 3 }]);
    }
    expect(new Set(previews.map(({ images }) => bytesOf({ image: images[0]! }))).size).toBe(6);
    expect(bytesOf(result)).toBe(bytesOf(fox));
    // Their time is accounted for by itself.
    const names = SIDES.flatMap((_, k) => (k < 6 ? [`scale ${k + 1}`, `preview ${k + 1}`] : ["scale 7"]));
    expect(result.report.stages.map(({ name }) => name)).toEqual(["text", ...names, "vae"]);
  });

  it("are at most 256 pixels along the longer side, and waited for", async () => {
    const order: string[] = [];
    const controller = new AbortController();
    const drawing = engine.draw([FOX], {
      size: { width: 432, height: 144 },
      signal: controller.signal,
      onScale: async ({ scale, images: [image] }) => {
        order.push(`begin ${scale} ${image?.width}x${image?.height}`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`end ${scale}`);
        if (scale === 1) controller.abort("seen enough");
      },
    });
    await expect(drawing).rejects.toBe("seen enough");
    expect(order).toEqual(["begin 0 256x80", "end 0", "begin 1 256x80", "end 1"]);
  });
});

describe("progress", () => {
  it("tells of every text layer, every layer of every scale, and the decoder, in order", async () => {
    const seen: DrawProgress[] = [];
    await draw(FOX, { negative: "snow", onProgress: (event) => seen.push(event) });
    const texts = ["prompt", "negative"].flatMap(() => [1, 2].map((layer) => ({ stage: "text", layer, layers: 2 })));
    const scales = SIDES.flatMap((side, k) =>
      [1, 2, 3, 4].map((layer) => ({
        ...{ stage: "scale", scale: k + 1, scales: 7, map: { height: side, width: side } },
        ...{ layer, layers: 4 },
      })),
    );
    expect(seen).toEqual([...texts, ...scales, { stage: "vae", image: 1, images: 1 }]);

    seen.length = 0;
    await draw(FOX, { negative: "snow", guidance: 1, onProgress: (event) => seen.push(event) });
    // Without guidance nothing steers away from it, so it is not read.
    expect(seen).toEqual([...texts.slice(0, 2), ...scales, { stage: "vae", image: 1, images: 1 }]);
  });
});

describe("the report", () => {
  it.each([
    { name: "a guided image", result: () => fox, rows: 2 },
    { name: "an image without guidance", result: () => unguided, rows: 1 },
    { name: "three guided images", result: () => batch, rows: 6 },
  ])("counts the cache of $name to the byte", ({ result, rows }) => {
    const { report, images } = result();
    const full = HISTORY * rows * TOKEN_BYTES;
    expect(report).toMatchObject({
      ...{ model: "tiny", device: "cpu", policy: "full", images: images.length, tokens: 521 },
      schedule: SIDES.map((side) => ({ height: side, width: side })),
      cache: { peakBytes: full, fullBytes: full },
    });
    let tokens = 0;
    const expected = SIDES.map((side, k) => {
      // Nothing looks back on the last scale, so it is not cached.
      tokens += k < 6 ? side * side : 0;
      return { name: `scale ${k + 1}`, map: { height: side, width: side }, cacheBytes: tokens * rows * TOKEN_BYTES };
    });
    const text = { name: "text", map: undefined, cacheBytes: 0 };
    const vae = { name: "vae", map: undefined, cacheBytes: 0 };
    const found = report.stages.map(({ name, map, cacheBytes }) => ({ name, map, cacheBytes }));
    expect(found).toEqual([text, ...expected, vae]);
  });

  it("accounts for the whole call's time and the weights in memory", () => {
    const { stages, seconds, process, weightsBytes } = fox.report;
    const sum = stages.reduce((total, stage) => total + stage.seconds, 0);
    expect(stages.every((stage) => stage.seconds >= 0 && stage.residentBytes! > weightsBytes)).toBe(true);
    expect(sum).toBeLessThanOrEqual(seconds);
    expect(process!.peakBytes).toBeGreaterThanOrEqual(Math.max(...stages.map((stage) => stage.residentBytes!)));
    const { cache, workingBytes } = fox.report;
    expect(workingBytes).toBeGreaterThan(0);
    expect(process!.accountedBytes).toBe(stages[0]!.residentBytes! + cache.duringBytes + workingBytes!);
  });
});

describe("weights in 8 and 4 bits", () => {
  it.each(["q8", "w8a8", "q4"] as const)("%s: take less, draw another image, and say so", async (weights) => {
    const held = await Engine.load("tiny", { weights }, resolveModel);
    try {
      const { image, report } = await held.draw([FOX], { pixels: "0.06M", seed: 7 });
      expect([report.weights, fox.report.weights]).toEqual([weights, "fp32"]);
      expect(report.weightsBytes).toBeLessThan(fox.report.weightsBytes);
      expect(Buffer.from(image.data).equals(fox.image.data)).toBe(false);
    } finally {
      await held.dispose();
    }
  });

  it("are refused by a name that is none", async () => {
    const wrong: readonly [PipelineOptions, string][] = [
      [{ cache: { storage: "int4" as "int8" } }, "storage int4: not one of fp32, fp16, int8"],
      [{ weights: "fp16" }, "weights fp16: not on cpu, which multiplies in float32; webgpu and cuda do in float16"],
      [{ device: "webgpu", weights: "w8a8" }, "weights w8a8: not on webgpu, which has no such products; q8 and q4 are"],
      [{ threads: 0 }, "threads 0: not a whole number from 1"],
      [{ threads: 1.5 }, "threads 1.5: not a whole number from 1"],
    ];
    for (const [options, line] of wrong)
      await expect(Engine.load("tiny", options, resolveModel)).rejects.toThrow(new OptionError(line));
    const load = Engine.load("tiny", { weights: "q2" as "q8" }, resolveModel);
    await expect(load).rejects.toThrow(new OptionError("weights q2: not one of fp32, fp16, q8, w8a8, q4"));
  });
});

describe("an AbortSignal", () => {
  it("ends a drawing with its reason, and the next one is as if nothing had been", async () => {
    const controller = new AbortController();
    const reason = new Error("the user went away");
    const seen: string[] = [];
    const drawing = draw(FOX, {
      seed: 7,
      signal: controller.signal,
      onProgress: (event) => {
        if (event.stage !== "scale") return;
        seen.push(`${event.scale}.${event.layer}`);
        if (event.scale === 3 && event.layer === 2) controller.abort(reason);
      },
    });
    await expect(drawing).rejects.toBe(reason);
    expect(seen.at(-1)).toBe("3.2");
    expect(bytesOf(await draw(FOX, { seed: 7 }))).toBe(bytesOf(fox));
  });

  it("that was given too late stops a drawing before it begins", async () => {
    const seen: DrawProgress[] = [];
    const drawing = draw(FOX, { signal: AbortSignal.abort("no"), onProgress: (event) => seen.push(event) });
    await expect(drawing).rejects.toBe("no");
    expect(seen).toEqual([]);
  });

  it("ends loading, too", async () => {
    const controller = new AbortController();
    const options: PipelineOptions = {
      signal: controller.signal,
      onProgress: ({ part, done }) => {
        if (part === "transformer" && done === 3) controller.abort("no time");
      },
    };
    const loading = Engine.load("tiny", options, resolveModel);
    await expect(loading).rejects.toBe("no time");
  });
});
