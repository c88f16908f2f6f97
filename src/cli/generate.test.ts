import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, describe, expect, it, vi } from "vitest";
import { fakeResult } from "../../test/support/report.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { ModelError } from "../errors.js";
import type { Draw, DrawOptions, DrawResult, DrawnImage, Pipeline, PipelineOptions } from "../generate/types.js";
import { generateCommand } from "./generate.js";
import { Interrupted } from "./interrupt.js";

/** An engine that draws flat images at once and remembers what it was asked. */
class FakeEngine {
  readonly calls: { model: string; loading: PipelineOptions; prompts: readonly string[]; drawing: DrawOptions }[] = [];
  disposed = 0;

  constructor(private readonly during: (options: DrawOptions) => Promise<void> = () => Promise.resolve()) {}

  readonly load = (): Promise<Pipeline> => Promise.resolve(this.pipeline);

  private readonly pipeline: Pipeline = (_task, model, loading = {}) => {
    const draw = async (given: string | readonly string[], drawing: DrawOptions = {}): Promise<DrawResult> => {
      const prompts = [given].flat();
      this.calls.push({ model, loading, prompts, drawing });
      const images = prompts.map((prompt, i) => flat(prompt, [drawing.seed ?? 0].flat()[0]!, i));
      await drawing.onScale?.({ scale: 0, scales: 2, images });
      await this.during(drawing);
      return fakeResult(images, { model, ...MEMORY });
    };
    const dispose = (): Promise<void> => {
      this.disposed++;
      return Promise.resolve();
    };
    return Promise.resolve(Object.assign(draw, { dispose }) satisfies Draw);
  };
}

function flat(prompt: string, seed: number, level: number): DrawnImage {
  return { width: 2, height: 1, data: new Uint8Array(6).fill(level), prompt, seed };
}

const MEMORY = { workingBytes: 3 * 2 ** 20, process: { peakBytes: 1, accountedBytes: 2 ** 30 } };

/** Runs the command and returns what it printed. */
async function generate(engine: FakeEngine, ...args: string[]): Promise<string> {
  const print = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await generateCommand(engine.load).exitOverride().parseAsync(args, { from: "user" });
  return print.mock.calls.map(([text]) => String(text)).join("");
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("generate", () => {
  it("draws all prompts in one batch, writes one file each and prints the report", () =>
    inTemporaryFolder(async (folder) => {
      const engine = new FakeEngine();
      const printed = await generate(engine, "a fox", "a hare", "--seed", "7", "--out", join(folder, "x.png"));
      expect(engine.calls).toMatchObject([{ model: "stickers", prompts: ["a fox", "a hare"], drawing: { seed: 7 } }]);
      expect(engine.disposed).toBe(1);
      expect((await readdir(folder)).sort()).toEqual(["x-0.png", "x-1.png"]);
      expect((await sharp(join(folder, "x-1.png")).raw().toBuffer())[0]).toBe(1);
      expect(printed).toContain("stickers on cpu, full cache in fp32: 2 images, 1 scales, 1 tokens each");
      expect(printed).toContain("knows 40 objects");
    }));

  it("prints nothing but JSON with --json", () =>
    inTemporaryFolder(async (folder) => {
      const out = join(folder, "x.webp");
      const printed = await generate(new FakeEngine(), "a fox", "--out", out, "--json", "--model", "other");
      expect(JSON.parse(printed)).toMatchObject({
        images: [{ file: out, width: 2, height: 1, prompt: "a fox", seed: 0 }],
        report: { model: "other", policy: "full", images: 1 },
      });
    }));

  it("writes previews only where a folder is named for them", () =>
    inTemporaryFolder(async (folder) => {
      const engine = new FakeEngine();
      const previews = join(folder, "made", "here");
      await generate(engine, "a fox", "--out", join(folder, "x.jpg"), "--previews", previews);
      expect(await readdir(previews)).toEqual(["x-scale-01.png"]);
      await generate(engine, "a fox", "--out", join(folder, "x.jpg"));
      expect(engine.calls.map(({ drawing }) => drawing.onScale === undefined)).toEqual([false, true]);
    }));

  it("takes prompts from a file, and with --grid makes one picture of all", () =>
    inTemporaryFolder(async (folder) => {
      const [out, prompts] = [join(folder, "x.png"), join(folder, "prompts.txt")];
      await writeFile(prompts, "a hare\n\na fox\n");
      const engine = new FakeEngine();
      const printed = await generate(engine, "an owl", "--prompts", prompts, "--grid", "--out", out, "--json");
      expect(engine.calls[0]!.prompts).toEqual(["an owl", "a hare", "a fox"]);
      expect((await readdir(folder)).sort()).toEqual(["prompts.txt", "x.png"]);
      const { width, height } = await sharp(out).metadata();
      const images = engine.calls[0]!.prompts.map((prompt) => ({ prompt, seed: 0, width: 2, height: 1 }));
      expect(JSON.parse(printed)).toMatchObject({ grid: { file: out, width, height }, images });
    }));

  it("writes a grid with a prompt that has nothing to show", () =>
    inTemporaryFolder(async (folder) => {
      const out = join(folder, "x.png");
      await generate(new FakeEngine(), "", " ", "--grid", "--out", out);
      // Two pictures of 256 pixels and white around them.
      expect(await sharp(out).metadata()).toMatchObject({ width: 2 * 264 + 8, height: 256 + 3 * 8 });
    }));

  it("refuses a grid that its format has no room for, before any model is loaded", () =>
    inTemporaryFolder(async (folder) => {
      const engine = new FakeEngine();
      const load = vi.spyOn(engine, "load");
      const [out, prompts] = [join(folder, "x.webp"), join(folder, "prompts.txt")];
      // 16 columns of 1024 pixels and their gaps
      await writeFile(prompts, "a fox\n".repeat(151));
      const wide = generate(engine, "--prompts", prompts, "--model", "tiny", "--pixels", "1M", "--grid", "--out", out);
      await expect(wide).rejects.toThrow(/x\.webp: \d+x\d+ pixels, \.webp holds at most 16383 a side$/);
      expect(load).not.toHaveBeenCalled();
    }));

  it("refuses to draw nothing", async () => {
    await expect(generate(new FakeEngine(), "--out", "x.png")).rejects.toThrow("no prompt: write one");
  });

  it("touches no model where the output is no good", () =>
    inTemporaryFolder(async (folder) => {
      const engine = new FakeEngine();
      const load = vi.spyOn(engine, "load");
      await expect(generate(engine, "a fox", "--out", join(folder, "x.gif"))).rejects.toThrow(
        "the ending is not one of",
      );
      await expect(generate(engine, "a fox", "--out", join(folder, "no", "x.png"))).rejects.toThrow(
        "there is no folder",
      );
      await expect(generate(engine, "a", "b", "--out", join(folder, "{i}", "x.png"))).rejects.toThrow(
        "there is no folder",
      );
      expect(load).not.toHaveBeenCalled();
    }));

  it("frees the model and writes nothing where drawing fails or is stopped", () =>
    inTemporaryFolder(async (folder) => {
      const broken = new FakeEngine(() => Promise.reject(new ModelError("no good")));
      await expect(generate(broken, "a fox", "--out", join(folder, "x.png"))).rejects.toThrow("no good");
      const stopped = new FakeEngine(({ signal }) => {
        process.emit("SIGINT", "SIGINT");
        signal?.throwIfAborted();
        return Promise.resolve();
      });
      await expect(generate(stopped, "a fox", "--out", join(folder, "x.png"))).rejects.toThrow(Interrupted);
      expect([broken.disposed, stopped.disposed]).toEqual([1, 1]);
      expect(await readdir(folder)).toEqual([]);
    }));
});
