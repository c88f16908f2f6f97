/** `scalekv score` on small folders, with the metrics that need no network. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { afterEach, describe, expect, it, vi } from "vitest";
import { psnr, ssim, type RgbImage } from "../../src/index.js";
import { scalekv, scalekvWithoutRoom } from "../support/command.js";
import { numberedPair } from "../support/score-golden.js";
import { inTemporaryFolder } from "../support/temporary.js";

const COUNT = 3;
/** The last pair is equal. */
const PAIRS = Array.from({ length: COUNT }, (_, i) => numberedPair(i, 40 + 8 * i, 32, COUNT));
const NAMES = ["00 <fox>.png", "01.webp", "02.png"];

function encoder({ width, height, data }: RgbImage): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** Two folders of pairs, lossless, for a test to look at or to spoil. */
async function withFolders(work: (a: string, b: string, folder: string) => Promise<void>): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const [a, b] = [join(folder, "a"), join(folder, "b")];
    for (const one of [a, b]) await mkdir(one);
    for (const [i, [first, second]] of PAIRS.entries()) {
      await encoder(first)
        .png()
        .toFile(join(a, NAMES[i]!.replace("webp", "png")));
      await encoder(second)
        .toFormat(NAMES[i]!.endsWith("png") ? "png" : "webp", { lossless: true })
        .toFile(join(b, NAMES[i]!));
    }
    vi.stubEnv("TORCH_HOME", join(folder, "torch"));
    await work(a, b, folder);
  });
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("scalekv score", () => {
  it("prints the means as JSON", () =>
    withFolders(async (a, b) => {
      const { code, stdout, stderr } = await scalekv("score", a, b, "--metrics", "ssim,psnr", "--json");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const scores = JSON.parse(stdout) as Record<string, number>;
      expect(scores).toMatchObject({ count: COUNT, equal: 1, a, b });
      expect(Object.keys(scores)).toEqual(["psnr", "ssim", "count", "equal", "a", "b", "seconds"]);
      const [first, second] = PAIRS as [(typeof PAIRS)[0], (typeof PAIRS)[0]];
      expect(scores.psnr).toBeCloseTo((psnr(...first) + psnr(...second)) / 2, 10);
      expect(scores.ssim).toBeCloseTo((ssim(...first) + ssim(...second) + 1) / 3, 10);
    }));

  it("prints a table, and writes a page with the pairs worst first and nothing from elsewhere", () =>
    withFolders(async (a, b, folder) => {
      const out = join(folder, "report.html");
      const { code, stdout, stderr } = await scalekv("score", a, b, "--metrics", "psnr,ssim", "--out", out);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/^PSNR dB +\d+\.\d\d +mean of 2 pairs; 1 equal\nSSIM +0\.\d{4}$/m);
      expect(stdout).toMatch(/^02 +equal +1\.0000$/m);
      expect((await readdir(folder)).sort()).toEqual(["a", "b", "report.html"]);
      const page = await readFile(out, "utf8");
      const captions = [...page.matchAll(/<figcaption>(.*?) · /g)].map(([, name]) => name);
      const worst = ssim(...PAIRS[0]!) < ssim(...PAIRS[1]!) ? ["00 &lt;fox&gt;", "01"] : ["01", "00 &lt;fox&gt;"];
      expect(captions).toEqual([...worst, "02"]);
      expect(page.match(/<img /g)).toHaveLength(3 * COUNT);
      expect(page.match(/ src="(?!data:image\/jpeg;base64,)/g)).toBeNull();
      expect(page).not.toMatch(/<script|<link|@import|url\(/);
    }));

  it("prints what it measured, whatever becomes of the page", () =>
    withFolders(async (a, b, folder) => {
      const out = join(folder, "page.html");
      const { code, stdout, stderr } = await scalekvWithoutRoom(
        "score",
        a,
        b,
        "--metrics",
        "psnr",
        "--out",
        out,
        "--json",
      );
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: `scalekv: ${out}: cannot be written: it is larger than files may be here\n`,
      });
      expect(JSON.parse(stdout)).toMatchObject({ count: COUNT, equal: 1 });
    }));

  it("says which pictures cannot be checked for what their prompts ask", () =>
    withFolders(async (a, b, folder) => {
      const prompts = join(folder, "prompts.jsonl");
      const score = async (count: number): Promise<string> => {
        const lines = (await readFile("models/stickers/checker/held-out.jsonl", "utf8")).split("\n");
        await writeFile(prompts, lines.slice(0, count).join("\n"));
        const { code, stdout, stderr } = await scalekv("score", a, b, "--metrics", "psnr", "--prompts", prompts);
        expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
        return stderr;
      };
      const wrong = `5 prompts for 3 pictures, and "00 <fox>" is neither a prompt's id nor a number from 0 to 4`;
      expect(await score(5)).toBe(`scalekv: --prompts ${prompts}: ${wrong}\n`);
      const first = join(a, NAMES[0]!);
      expect(await score(3)).toBe(`scalekv: ${first}: a picture of 40x32: only square ones are checked\n`);
    }));

  it("says which download is missing", () =>
    withFolders(async (a, b, folder) => {
      const file = (name: string): string => join(folder, "torch", "hub", "checkpoints", name);
      const missing = async (metrics: string): Promise<string> => {
        const { code, stdout, stderr } = await scalekv("score", a, b, "--metrics", metrics);
        expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
        return stderr;
      };
      expect(await missing("psnr,lpips")).toBe(
        `scalekv: ${file("alexnet-owt-7be5be79.pth")}: not downloaded yet; run: scalekv download lpips\n`,
      );
      expect(await missing("kid")).toBe(
        `scalekv: ${file("pt_inception-2015-12-05-6726825d.pth")}: not downloaded yet; run: scalekv download inception\n`,
      );
    }));

  it.each([
    ["one alone", "b/03.png: has no partner in a", "03.png"],
    ["an unreadable one", "b/01.webp: cannot be read as a picture", "01.webp"],
  ])("refuses folders with %s", (_, message, spoiled) =>
    withFolders(async (a, b, folder) => {
      await writeFile(join(b, spoiled), "not a picture");
      const { code, stdout, stderr } = await scalekv("score", a, b, "--metrics", "psnr");
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr.replaceAll(`${folder}/`, "")).toBe(`scalekv: ${message}\n`);
    }),
  );

  it("refuses a pair of different sizes, and leaves no page", () =>
    withFolders(async (a, b, folder) => {
      await encoder(PAIRS[0]![0]).png().toFile(join(b, "02.png"));
      const out = join(folder, "report.html");
      const { code, stderr } = await scalekv("score", a, b, "--metrics", "psnr", "--out", out);
      expect(code).toBe(2);
      expect(stderr.replaceAll(`${folder}/`, "")).toBe(
        "scalekv: b/02.png: 40x32 pixels, but a/02.png has 56x32; pairs must have equal sizes\n",
      );
      expect((await readdir(folder)).sort()).toEqual(["a", "b"]);
    }));

  it.each([
    [["--metrics", "psnr,is"], "--metrics psnr,is: is is not one of psnr, ssim, lpips, fid, kid"],
    [["--metrics", "psnr,psnr"], "--metrics psnr,psnr: psnr is named twice"],
    [["--out", "report.txt"], "--out report.txt: the ending is not .html"],
  ])("refuses %j", async (flags, message) => {
    const { code, stderr } = await scalekv("score", "a", "b", ...flags);
    expect({ code, stderr }).toEqual({ code: 2, stderr: `scalekv: ${message}\n` });
  });
});
