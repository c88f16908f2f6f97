/** From a prompt to a file, with the model that ships with the package. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import type { WrittenImage } from "../../src/cli/report.js";
import type { RunReport } from "../../src/generate/types.js";
import { scalekv, startScalekv } from "../support/command.js";
import { inTemporaryFolder } from "../support/temporary.js";

const PROMPT = "a red fox in the snow";
/** The smallest class, 7 scales up to 16×16 tokens. */
const SMALL = ["--model", "tiny", "--pixels", "0.06M"] as const;

describe("scalekv generate", () => {
  it("draws the same file for the same seed and another for another seed", () =>
    inTemporaryFolder(async (folder) => {
      const draw = async (name: string, seed: string): Promise<Buffer> => {
        const out = join(folder, name);
        const { code, stdout, stderr } = await scalekv("generate", PROMPT, ...SMALL, "--seed", seed, "--out", out);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(stdout).toMatch(/^text .*\n(scale \d .*\n){7}vae /m);
        expect(stdout).toContain(`${out}  256x256, seed ${seed}\n`);
        return readFile(out);
      };
      const first = await draw("a.png", "7");
      const { format, width, height, channels } = await sharp(first).metadata();
      expect({ format, width, height, channels }).toEqual({ format: "png", width: 256, height: 256, channels: 3 });
      expect((await draw("b.png", "7")).equals(first)).toBe(true);
      expect((await draw("c.png", "8")).equals(first)).toBe(false);
      expect((await readdir(folder)).sort()).toEqual(["a.png", "b.png", "c.png"]);
    }));

  it("draws a batch, prints its report as JSON, and gives each prompt the image it would have alone", () =>
    inTemporaryFolder(async (folder) => {
      const size = ["--model", "tiny", "--size", "192x320", "--seed", "3"];
      const together = join(folder, "fox-{i}.png");
      const { code, stdout } = await scalekv("generate", PROMPT, "a lighthouse", ...size, "--out", together, "--json");
      expect(code).toBe(0);
      const { images, report } = JSON.parse(stdout) as { images: WrittenImage[]; report: RunReport };
      expect(images.map(({ prompt, seed }) => ({ prompt, seed }))).toEqual([
        { prompt: PROMPT, seed: 3 },
        { prompt: "a lighthouse", seed: 3 },
      ]);
      expect(report.stages.map(({ name }) => name)).toEqual([
        "text",
        ...report.schedule.map((_, k) => `scale ${k + 1}`),
        "vae",
      ]);
      expect(report.tokens).toBe(report.schedule.reduce((sum, { height, width }) => sum + height * width, 0));
      expect(report.cache.peakBytes).toBe(report.cache.fullBytes);
      expect(report.process!.peakBytes).toBeGreaterThan(report.weightsBytes);

      const alone = join(folder, "alone.png");
      await scalekv("generate", "a lighthouse", ...size, "--out", alone);
      expect((await readFile(alone)).equals(await readFile(join(folder, "fox-1.png")))).toBe(true);
    }));

  it("draws what it is asked for with the model that ships with the package", () =>
    inTemporaryFolder(async (folder) => {
      const out = join(folder, "apple.png");
      const { code, stdout } = await scalekv(
        "generate",
        "a red apple on a blue background",
        "--seed",
        "1",
        "--out",
        out,
      );
      expect(code).toBe(0);
      expect(stdout).toMatch(/^stickers on cpu/);
      expect(stdout).toContain("stickers ships with the package; it is small and knows 40 objects");
      const { data, info } = await sharp(out).raw().toBuffer({ resolveWithObject: true });
      expect([info.width, info.height]).toEqual([256, 256]);
      const at = (x: number, y: number): number[] => [...data.subarray((y * 256 + x) * 3, (y * 256 + x) * 3 + 3)];
      const [corner, middle] = [at(12, 12), at(128, 148)] as [[number, number, number], [number, number, number]];
      // Blue and red as anybody would call them; the apple's own differ by some 150 levels.
      expect(corner[2]).toBeGreaterThan(corner[0] + 60);
      expect(middle[0]).toBeGreaterThan(middle[2] + 60);
    }));

  it("writes a preview after every scale but the last", () =>
    inTemporaryFolder(async (folder) => {
      const previews = join(folder, "previews");
      const out = join(folder, "fox.webp");
      expect((await scalekv("generate", PROMPT, ...SMALL, "--out", out, "--previews", previews)).code).toBe(0);
      const names = Array.from({ length: 6 }, (_, k) => `fox-scale-0${k + 1}.png`);
      expect((await readdir(previews)).sort()).toEqual(names);
    }));

  it("refuses previews that would overwrite each other, before it draws", () =>
    inTemporaryFolder(async (folder) => {
      for (const i of ["0", "1"]) await mkdir(join(folder, i));
      const [out, previews] = [join(folder, "{i}", "a.png"), join(folder, "previews")];
      const { code, stderr } = await scalekv("generate", "a", "b", ...SMALL, "--out", out, "--previews", previews);
      const line = `--previews ${previews}: several images would have ${previews}/a-scale-01.png; put {i} into the file's own name`;
      expect({ code, stderr }).toEqual({ code: 2, stderr: `scalekv: ${line}\n` });
      expect((await readdir(folder)).sort()).toEqual(["0", "1"]);
    }));

  it("refuses a list that does not fit the schedule, before it draws", () =>
    inTemporaryFolder(async (folder) => {
      const out = join(folder, "fox.png");
      const { code, stderr } = await scalekv("generate", PROMPT, ...SMALL, "--guidance", "1,2,3", "--out", out);
      expect({ code, lines: stderr.split("\n").length }).toEqual({ code: 2, lines: 2 });
      expect(stderr).toMatch(/^scalekv: guidance: 3 values for 7 scales/);
      expect(await readdir(folder)).toEqual([]);
    }));

  it("stops at Ctrl-C with code 130 and leaves no image", () =>
    inTemporaryFolder(async (folder) => {
      const previews = join(folder, "previews");
      const args = ["--model", "tiny", "--pixels", "1M", "--previews", previews, "--out", join(folder, "fox.png")];
      const { interrupt, finished } = startScalekv("generate", PROMPT, ...args);
      const started = async (): Promise<boolean> => (await readdir(previews).catch(() => [])).length > 0;
      await expect.poll(started, { timeout: 30_000 }).toBe(true);
      interrupt();
      expect(await finished).toEqual({ code: 130, stdout: "", stderr: "" });
      expect(await readdir(folder)).toEqual(["previews"]);
    }));
});
