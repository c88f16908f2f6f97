/** `scalekv report` on what `sample --pair` drew with the smallest model. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scalekv, scalekvWithoutRoom } from "../support/command.js";

const PROMPTS = ["a red fox", "a <b>lighthouse</b>", "a kite"];

/** What the test looks at of the printed JSON. */
interface Printed {
  readonly differing: readonly string[];
  readonly runs: readonly {
    readonly likeness: { readonly psnr: number; readonly ssim: number } | null;
    readonly cost: { readonly secondsPerImage: number; readonly imagesPerSecond: number };
  }[];
}

let folder: string;
let full: string;
let compressed: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scalekv-"));
  await writeFile(at("prompts.txt"), PROMPTS.join("\n"));
  const budget = at("tiny.json");
  const calibrated = await scalekv(
    ...["calibrate", "--model", "tiny", "--prompts", at("prompts.txt"), "--budget", "20%", "--out", budget],
  );
  expect(calibrated.code).toBe(0);
  const drawn = await scalekv(
    ...["sample", "--model", "tiny", "--prompts", at("prompts.txt"), "--out", at("pair")],
    ...["--pair", "--policy", "scalekv", "--budget", budget],
  );
  expect(drawn.code).toBe(0);
  full = join(at("pair"), "full");
  compressed = join(at("pair"), "scalekv-tiny");
  // Three models are loaded, on machines that have other things to do as well.
}, 240_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("scalekv report", { timeout: 120_000 }, () => {
  it("writes a page, and prints the same as JSON and what score says of the folders", async () => {
    const out = at("report.html");
    const { code, stdout, stderr } = await scalekv("report", full, compressed, "--out", out, "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const printed = JSON.parse(stdout) as Printed;
    expect(printed).toMatchObject({
      page: out,
      differing: ["cache.calibration", "cache.policy", "cache.scoring", "cache.tokens"],
      runs: [
        // Cache of the full run: 265 tokens × 4 layers × 2 rows × 128 channels × 8 bytes.
        { place: full, complete: { done: 3, total: 3 }, cost: { cachePeakBytes: 2_170_880 }, likeness: null },
        { place: compressed, complete: { done: 3, missing: 0, failed: 0 }, likeness: { against: full, count: 3 } },
      ],
    });
    const scores = await scalekv("score", full, compressed, "--metrics", "psnr,ssim", "--json");
    const { psnr, ssim } = JSON.parse(scores.stdout) as { psnr: number; ssim: number };
    expect(printed.runs[1]!.likeness).toMatchObject({ psnr, ssim });

    const page = await readFile(out, "utf8");
    const row = (name: string, ...cells: string[]): string =>
      `<tr>${[name, ...cells].map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
    expect(page).toContain(row("pictures done", "3 of 3", "3 of 3"));
    expect(page).toContain(row("PSNR dB", "–", psnr.toFixed(2)));
    expect(page).toContain(row("SSIM", "–", ssim.toFixed(4)));
    const seconds = printed.runs.map(({ cost }) => cost.secondsPerImage.toFixed(2));
    expect(page).toContain(row("seconds an image", ...seconds));
    const rates = printed.runs.map(({ cost }) => cost.imagesPerSecond.toPrecision(3));
    expect(page).toContain(row("images a second", ...rates));
    expect(page.match(/data:image\/webp/g)).toHaveLength(2 * PROMPTS.length);
    expect(page.match(/<img class="map"/g)).toHaveLength(1);
    expect(page).toContain("a &lt;b&gt;lighthouse&lt;/b&gt;");
    expect((await readdir(folder)).sort()).toEqual(["pair", "prompts.txt", "report.html", "tiny.json"]);
  });

  it("says what is missing and prints a table", async () => {
    await rm(join(full, "0002.png"));
    const { code, stdout } = await scalekv("report", compressed, full, "--out", at("less.html"), "--pictures", "2");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +scalekv-tiny +full\npictures done +3 of 3 +2 of 3\nmissing +0 +1$/m);
    expect(stdout).toMatch(/^pairs +2 +–$/m);
    expect((await readFile(at("less.html"), "utf8")).match(/data:image\/webp/g)).toHaveLength(2);
  });

  it("prints what it found, whatever becomes of the page", async () => {
    const out = at("page.html");
    const { code, stdout, stderr } = await scalekvWithoutRoom(
      "report",
      compressed,
      "--out",
      out,
      "--pictures",
      "0",
      "--json",
    );
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `scalekv: ${out}: cannot be written: it is larger than files may be here\n`,
    });
    expect(JSON.parse(stdout)).toMatchObject({ runs: [{ complete: { done: 3, total: 3 } }] });
  });

  it.each([
    ["a folder that is no run", () => [folder], () => `${folder}: no sampling folder: it has no manifest.json`],
    ["a folder twice", () => [full, `${full}/`], () => `${full}/: named twice`],
    [
      "too few pictures",
      () => [full, compressed, "--pictures", "1"],
      () => "--pictures 1: not one for each of 2 folders; 0 shows none",
    ],
  ])("refuses %s with one line, and writes no page", async (_, args, line) => {
    const out = at("never.html");
    expect(await scalekv("report", ...args(), "--out", out)).toEqual({
      code: 2,
      stdout: "",
      stderr: `scalekv: ${line()}\n`,
    });
    expect(await readdir(folder)).not.toContain("never.html");
  });

  it("refuses a page of another kind before it reads anything", async () => {
    expect(await scalekv("report", at("nothing"), "--out", "report.txt")).toEqual({
      code: 2,
      stdout: "",
      stderr: "scalekv: --out report.txt: the ending is not .html\n",
    });
  });
});
