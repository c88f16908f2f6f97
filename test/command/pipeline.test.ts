/**
 * The pipeline as a program uses it: built, with the embedded model in a worker thread of its own. What is drawn is
 * tested in test/tiny; here, what crosses the border between the threads.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type * as Errors from "../../src/errors.js";
import type * as Pipelines from "../../src/generate/pipeline.js";
import type { Draw, DrawOptions, DrawProgress, ScalePreview } from "../../src/generate/types.js";

const ROOT = new URL("../../", import.meta.url);
const built = (path: string): string => new URL(`dist/${path}`, ROOT).href;
const { pipeline } = (await import(built("generate/pipeline.js"))) as typeof Pipelines;
const errors = (await import(built("errors.js"))) as typeof Errors;

const FOX = "a red fox in the snow";
const SMALL: DrawOptions = { pixels: "0.06M", seed: 7 };

let draw: Draw;
beforeAll(async () => {
  draw = await pipeline("text-to-image", "tiny");
});
afterAll(() => draw.dispose());

function text(data: Uint8Array): string {
  return Buffer.from(data).toString("base64");
}

describe("drawing in a worker", () => {
  it("leaves the caller's thread free", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 2);
    const onProgress = (event: DrawProgress): void => {
      // From here on one operator after the other of the decoder runs, without a pause.
      if (event.stage === "scale" && event.scale === 7 && event.layer === 4) ticks = 0;
    };
    await draw(FOX, { ...SMALL, onProgress });
    clearInterval(timer);
    // In the engine's own thread there would be one or two.
    expect(ticks).toBeGreaterThan(5);
  });

  it("draws one image after another, the same for the same seed, and several at once", async () => {
    const first = await draw(FOX, SMALL);
    const second = await draw(FOX, SMALL);
    const { images, report } = await draw([FOX, "a cat"], { ...SMALL, seed: [7, 8] });
    expect(first.image).toMatchObject({ width: 256, height: 256, prompt: FOX, seed: 7 });
    expect(first.image.data).toBeInstanceOf(Uint8Array);
    expect(text(second.image.data)).toBe(text(first.image.data));
    expect(images.map(({ prompt, seed }) => [prompt, seed])).toEqual([
      [FOX, 7],
      ["a cat", 8],
    ]);
    expect(text(images[0]!.data)).toBe(text(first.image.data));
    expect(report).toMatchObject({ model: "tiny", device: "cpu", images: 2, tokens: 521 });
  });

  it("draws two calls under way together as each by itself", async () => {
    const prompts = [FOX, "a cat"];
    for (const cache of [{ policy: "full" as const }, { policy: "scalekv" as const, budget: "10%" }]) {
      const alone: string[] = [];
      for (const prompt of prompts) alone.push(text((await draw(prompt, { ...SMALL, cache })).image.data));
      const together = await Promise.all(prompts.map((prompt) => draw(prompt, { ...SMALL, cache })));
      expect(together.map(({ image }) => text(image.data))).toEqual(alone);
    }
  });

  it("tells of every step before it ends, and waits for what is done with a preview", async () => {
    const seen: DrawProgress[] = [];
    const previews: ScalePreview[] = [];
    let waiting = false;
    const onScale = async (preview: ScalePreview): Promise<void> => {
      expect(waiting).toBe(false);
      waiting = true;
      await new Promise((resolve) => setTimeout(resolve, 5));
      waiting = false;
      previews.push(preview);
    };
    await draw(FOX, { ...SMALL, onScale, onProgress: (event) => seen.push(event) });
    expect(waiting).toBe(false);
    expect(previews.map(({ scale }) => scale)).toEqual([0, 1, 2, 3, 4, 5]);
    // Two layers of text, seven scales of four layers, one image.
    expect(seen).toHaveLength(2 + 7 * 4 + 1);
    expect(seen.at(-1)).toEqual({ stage: "vae", image: 1, images: 1 });
  });
});

describe("a signal", () => {
  it("stops a drawing with the very reason it was given, and the next one runs", async () => {
    const controller = new AbortController();
    const reason = new Error("the user went away");
    const seen: DrawProgress[] = [];
    const onProgress = (event: DrawProgress): void => {
      seen.push(event);
      if (event.stage === "scale" && event.scale === 2) controller.abort(reason);
    };
    await expect(draw(FOX, { ...SMALL, signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect(seen.filter(({ stage }) => stage === "vae")).toEqual([]);
    expect((await draw(FOX, SMALL)).images).toHaveLength(1);
  });

  it("that is over already stops drawing and loading before they begin", async () => {
    const signal = AbortSignal.abort("no");
    await expect(draw(FOX, { ...SMALL, signal })).rejects.toBe("no");
    await expect(pipeline("text-to-image", "tiny", { signal })).rejects.toBe("no");
  });

  it("stops loading", async () => {
    const controller = new AbortController();
    const onProgress = (): void => controller.abort("no time");
    await expect(pipeline("text-to-image", "tiny", { signal: controller.signal, onProgress })).rejects.toBe("no time");
  });
});

describe("an error", () => {
  it("of loading arrives as its class with its message", async () => {
    const loading = pipeline("text-to-image", "no-such-model");
    await expect(loading).rejects.toThrow(errors.ModelError);
    await expect(loading).rejects.toThrow(/^no-such-model: neither a folder nor a model's name/);
    await expect(pipeline("text-to-image", "tiny", { device: "wasm" })).rejects.toThrow(errors.DeviceError);
  });

  it("of an option arrives as its class with its message, and the next drawing runs", async () => {
    const refused: [string | string[], DrawOptions, string][] = [
      [FOX, { topP: 2 }, "top-p 2: must be from 0 to 1"],
      [FOX, { seed: [1, 2] }, "seed: 2 values for 1 prompts; give one, or one for each prompt"],
      [[], {}, "prompts: 0 given, at least 1 is needed"],
    ];
    for (const [prompts, options, message] of refused) {
      await expect(draw(prompts, options)).rejects.toThrow(new errors.OptionError(message));
    }
    await expect(pipeline("text-to-speech" as "text-to-image", "tiny")).rejects.toThrow(errors.OptionError);
    expect((await draw(FOX, SMALL)).images).toHaveLength(1);
  });
});

describe("a callback that throws", () => {
  it.each<[string, DrawOptions]>([
    ["onProgress", { onProgress: ({ stage }) => stage === "vae" && fail() }],
    ["onScale", { onScale: fail }],
  ])("ends the drawing with the very thing it threw, not the worker: %s", async (_, options) => {
    await expect(draw(FOX, { ...SMALL, ...options })).rejects.toBe(trouble);
    expect((await draw(FOX, SMALL)).images).toHaveLength(1);
  });

  it("ends loading", async () => {
    await expect(pipeline("text-to-image", "tiny", { onProgress: fail })).rejects.toBe(trouble);
  });

  const trouble = Object.assign(new TypeError("not today"), { code: 7 });
  function fail(): never {
    throw trouble;
  }
});

describe("a callback", () => {
  it("may give back what cannot be copied, and be frozen", async () => {
    const give = Object.freeze(() => give as unknown as undefined);
    const gone = await pipeline("text-to-image", "tiny", { onProgress: give });
    await gone.dispose();
    expect((await draw(FOX, { ...SMALL, onProgress: give, onScale: give })).images).toHaveLength(1);
  });
});

it("says nothing of its own, whatever is under way, and leaves no file anywhere", async () => {
  const home = await mkdtemp(join(tmpdir(), "scalekv-home-"));
  const program = `
    const { pipeline } = await import(${JSON.stringify(built("generate/pipeline.js"))});
    const draw = await pipeline("text-to-image", "tiny");
    await Promise.all(Array.from({ length: 12 }, () => draw("a fox", { pixels: "0.06M" })));
    await draw.dispose();`;
  const env = { ...process.env, HOME: home, TMPDIR: home, ORT_DISABLE_TELEMETRY: undefined };
  try {
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { timeout: 60_000, env });
    expect(await run).toEqual({ stdout: "", stderr: "" });
    expect(await readdir(home)).toEqual([]);
  } finally {
    await rm(home, { recursive: true });
  }
});

describe("dispose", () => {
  it("ends the worker, so that a program with nothing else to do ends", async () => {
    const program = `
      const { pipeline } = await import(${JSON.stringify(built("generate/pipeline.js"))});
      const draw = await pipeline("text-to-image", "tiny", { onProgress: () => {} });
      const { image } = await draw("a fox", { pixels: "0.06M", onProgress: () => {}, onScale: () => {} });
      await draw.dispose();
      console.log(image.data.length);`;
    // A program that does not end is killed after the timeout, which rejects.
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { timeout: 40_000 });
    expect(await run).toEqual({ stdout: `${256 * 256 * 3}\n`, stderr: "" });
  });

  it("makes later calls fail rather than wait", async () => {
    const gone = await pipeline("text-to-image", "tiny");
    await gone.dispose();
    await expect(gone(FOX, SMALL)).rejects.toThrow("worker");
  });
});
