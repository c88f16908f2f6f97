/** `scalekv eval prompts`, from prompts to shares, with the model that ships. */
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { scalekv } from "../support/command.js";
import { inTemporaryFolder } from "../support/temporary.js";

interface Report {
  readonly categories: readonly { category: string; right: number; of: number; unclear: number }[];
  readonly pictures: readonly { prompt: string; file: string; shown: boolean; background: string[] | null }[];
}

const HELD_OUT = "models/stickers/checker/held-out.jsonl";

/** A quarter of the size that the model learned, in which it still draws something to check. */
const SMALL = ["--pixels", "0.06M"];

describe("scalekv eval prompts", () => {
  it("draws, checks, reports, goes on where it stopped, and checks pictures that are there", () =>
    inTemporaryFolder(async (folder) => {
      const out = join(folder, "out");
      const images = join(out, "images");
      const prompts = join(folder, "prompts.jsonl");
      const lines = (await readFile(HELD_OUT, "utf8")).split("\n").filter((line) => line.includes('"colour"'));
      await writeFile(prompts, lines.slice(0, 2).join("\n"));
      const draw = ["eval", "prompts", "--prompts", prompts, "--out", out, ...SMALL, "--batch", "2", "--json"];
      const { code, stdout, stderr } = await scalekv(...draw);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const report = JSON.parse(stdout) as Report;
      const right = report.pictures.filter(({ shown }) => shown).length;
      expect(report.categories).toMatchObject([
        { category: "colour", right, of: 2 },
        { category: "all", right, of: 2 },
      ]);
      // Colours of backgrounds are what this model hardly ever misses, not even so small.
      expect(report.pictures.map(({ background }) => background)).toEqual(
        lines.slice(0, 2).map((line) => (JSON.parse(line) as { background: string[] }).background),
      );
      expect((await readdir(out)).sort()).toEqual([
        "images",
        "index.html",
        "settings.json",
        "table.md",
        "verdicts.json",
      ]);
      expect(await readFile(join(out, "table.md"), "utf8")).toContain("| all |");
      expect(await readFile(join(out, "index.html"), "utf8")).toContain('src="images/00001.png"');

      const [kept, lost] = ["00000.png", "00001.png"].map((name) => join(images, name)) as [string, string];
      const [before, bytes] = [(await stat(kept)).mtimeMs, await readFile(lost)];
      await rm(lost);
      expect((await scalekv(...draw)).stdout).toBe(stdout);
      expect((await stat(kept)).mtimeMs).toBe(before);
      expect((await readFile(lost)).equals(bytes)).toBe(true);

      const there = await scalekv("eval", "prompts", "--prompts", prompts, "--images", images, "--json");
      expect(JSON.parse(there.stdout)).toEqual(report);
      const own = await scalekv("score", images, images, "--metrics", "psnr", "--prompts", prompts, "--json");
      const { following } = JSON.parse(own.stdout) as { following: { categories: object[] } };
      const shares = report.categories.map(({ category, ...share }) => ({ category, a: share, b: share }));
      expect(following.categories).toEqual(shares);

      expect(await scalekv(...draw, "--seed", "5")).toEqual({
        code: 2,
        stdout: "",
        stderr: `scalekv: --out ${out}: holds an evaluation of another model, other prompts or settings\n`,
      });
      await rm(kept);
      const rest = await scalekv("eval", "prompts", "--prompts", prompts, "--images", images, "--json");
      expect((JSON.parse(rest.stdout) as Report).pictures).toEqual(report.pictures.slice(1));
      await rm(lost);
      expect((await scalekv("eval", "prompts", "--prompts", prompts, "--images", images)).stderr).toBe(
        `scalekv: --images ${images}: holds 0 pictures, at least 1 is needed\n`,
      );
    }));

  it("knows the pictures of `sample` by the prompts' ids, whatever their order", () =>
    inTemporaryFolder(async (folder) => {
      const prompts = join(folder, "prompts.jsonl");
      const lines = (await readFile(HELD_OUT, "utf8"))
        .split("\n")
        .filter((line) => line.includes('"category": "style"'));
      await writeFile(prompts, lines.slice(0, 2).reverse().join("\n"));
      const run = join(folder, "run");
      const sampled = await scalekv("sample", "--prompts", prompts, "--out", run, "--json");
      expect(sampled.code).toBe(0);
      const { stdout } = await scalekv("eval", "prompts", "--prompts", prompts, "--images", run, "--json");
      const { pictures } = JSON.parse(stdout) as Report;
      expect(pictures.map(({ prompt, file }) => [prompt, file])).toEqual(
        lines
          .slice(0, 2)
          .reverse()
          .map((line) => JSON.parse(line) as { prompt: string; id: string })
          .map(({ prompt, id }) => [prompt, join(run, `${id}.png`)]),
      );
      // Styles are what this model hardly ever misses.
      expect(pictures.map(({ shown }) => shown)).toEqual([true, true]);
      const scored = await scalekv("score", run, run, "--metrics", "psnr", "--prompts", prompts, "--json");
      expect(JSON.parse(scored.stdout)).toMatchObject({ following: { categories: [{ a: { right: 2 } }, {}] } });
    }));

  it("tells eval cache how many prompts each cache's pictures follow", () =>
    inTemporaryFolder(async (folder) => {
      const out = join(folder, "out");
      const caches = ["--policies", "sliding-window", "--budgets", "10%", "--limit", "2", "--batch", "2", ...SMALL];
      const { code, stdout, stderr } = await scalekv(
        ...["eval", "cache", "--prompts", HELD_OUT, "--out", out, "--json", ...caches],
      );
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const [summary] = JSON.parse(stdout) as [{ following: { right: number; of: number; full: { right: number } } }];
      const { right, full } = summary.following;
      expect(summary.following).toMatchObject({ of: 2, full: { of: 2 }, difference: (right - full.right) / 2 });
      const alone = await scalekv("eval", "prompts", "--images", join(out, "full"), "--limit", "2", "--json");
      // Two pictures of 216 prompts: their names are numbers.
      expect(JSON.parse(alone.stdout)).toMatchObject({ categories: [{ right: full.right, of: 2 }, {}] });
      expect(await readFile(join(out, "table.md"), "utf8")).toMatch(
        /prompts followed.*\n.*\n.*\n\nfull cache: \d of 2/,
      );
      expect(await readFile(join(out, "following.svg"), "utf8")).toContain(">sliding-window<");
    }));

  it.each([
    [["--model", "tiny", "--out", "x"], /^scalekv: --model tiny: has no checker: there is no folder .*tiny.checker\n$/],
    [["--model", "nobody", "--out", "x"], /^scalekv: nobody: neither a folder nor a model's name/],
    [[], /^scalekv: --out: a folder is needed to draw into\n$/],
    [["--prompts", "README.md", "--out", "x"], /^scalekv: --prompts README.md: line 1: not JSON\n$/],
    [["--prompts", "no.jsonl", "--out", "x"], /^scalekv: --prompts no.jsonl: cannot be read \(ENOENT\)\n$/],
    [["--images", "no"], /^scalekv: --images no: cannot be read \(ENOENT\)\n$/],
    [["--images", "no", "--seed", "1"], /^scalekv: option '--images <dir>' cannot be used with option '--seed <n>'\n$/],
  ])("refuses %j with one line", async (flags, line) => {
    const { code, stdout, stderr } = await scalekv("eval", "prompts", ...flags);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(line);
  });
});
