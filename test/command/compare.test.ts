/** `generate --compare`, from a prompt to three files and two reports. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import type { ComparedRun, Likeness } from "../../src/cli/compare-report.js";
import { psnr, ssim } from "../../src/index.js";
import { scalekv } from "../support/command.js";
import { readPicture } from "../support/pictures.js";
import { inTemporaryFolder } from "../support/temporary.js";

/** Sixty tokens a layer, of 265 that seven scales up to 16×16 leave. */
const SMALL = ["generate", "a red fox in the snow", "--model", "tiny", "--seed", "7", "--pixels", "0.06M"] as const;
const COMPRESSED = ["--policy", "scalekv", "--budget", "60"] as const;

interface Printed extends ComparedRun {
  readonly full: ComparedRun;
  readonly comparison: {
    readonly psnr: number;
    readonly ssim: number;
    readonly count: number;
    readonly images: readonly Likeness[];
  };
}

describe("scalekv generate --compare", () => {
  it("writes both images and their difference, and tells what each cache took", () =>
    inTemporaryFolder(async (folder) => {
      const [out, fullOut, picture] = ["fox.png", "fox-full.png", "fox-compare.png"].map((name) => join(folder, name));
      const { code, stdout, stderr } = await scalekv(...SMALL, ...COMPRESSED, "--compare", "--json", "--out", out!);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect((await readdir(folder)).sort()).toEqual(["fox-compare.png", "fox-full.png", "fox.png"]);
      const { images, report, full, comparison } = JSON.parse(stdout) as Printed;
      expect([...images, ...full.images].map(({ file }) => file)).toEqual([out, fullOut]);
      expect([report.policy, report.budget, full.report.policy]).toEqual(["scalekv", 60, "full"]);
      expect(full.report.cache.peakBytes).toBe(full.report.cache.fullBytes);
      expect(report.cache.fullBytes).toBe(full.report.cache.fullBytes);
      expect(report.cache.peakBytes).toBeLessThan(full.report.cache.peakBytes);

      // PNG loses nothing, so the files must have the likeness that was told.
      const pair = [await readPicture(fullOut!), await readPicture(out!)] as const;
      const likeness = { psnr: psnr(...pair), ssim: ssim(...pair) };
      expect(comparison).toMatchObject({ ...likeness, count: 1, images: [{ file: picture, ...likeness }] });
      expect(likeness.psnr).toBeLessThan(Infinity);
      // Three images of 256 and two gaps of 8.
      expect(await sharp(picture).metadata()).toMatchObject({ width: 784, height: 256 });
    }));

  it("draws what generate draws without it, with either cache", () =>
    inTemporaryFolder(async (folder) => {
      const file = (name: string): string => join(folder, name);
      const { code, stdout } = await scalekv(...SMALL, ...COMPRESSED, "--compare", "--out", file("fox.png"));
      expect(code).toBe(0);
      expect(stdout).toMatch(/^stage +map +full s +scalekv s +full MiB +scalekv MiB$/m);
      await scalekv(...SMALL, ...COMPRESSED, "--out", file("alone.png"));
      await scalekv(...SMALL, "--out", file("alone-full.png"));
      expect((await readFile(file("fox.png"))).equals(await readFile(file("alone.png")))).toBe(true);
      expect((await readFile(file("fox-full.png"))).equals(await readFile(file("alone-full.png")))).toBe(true);
    }));

  it.each([[[]], [["--policy", "full"]]])("refuses the full cache beside itself: %j", (policy) =>
    inTemporaryFolder(async (folder) => {
      const { code, stdout, stderr } = await scalekv(
        ...SMALL,
        ...policy,
        "--compare",
        "--out",
        join(folder, "fox.png"),
      );
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toBe("scalekv: --compare: --policy full is one side of it; name the other\n");
      expect(await readdir(folder)).toEqual([]);
    }),
  );

  it("refuses a file that cannot be written, before it draws", () =>
    inTemporaryFolder(async (folder) => {
      const taken = join(folder, "fox-compare.png");
      await mkdir(taken);
      const out = join(folder, "fox.png");
      const { code, stderr } = await scalekv(...SMALL, ...COMPRESSED, "--compare", "--out", out);
      expect({ code, stderr }).toEqual({ code: 2, stderr: `scalekv: ${taken}: cannot be written: it is a folder\n` });
      expect(await readdir(folder)).toEqual(["fox-compare.png"]);
    }));
});
