/** `scalekv eval cache`, from prompts to a table. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import type { Summary } from "../../src/evaluation/outcomes.js";
import { psnr } from "../../src/index.js";
import { scalekv } from "../support/command.js";
import { readPicture } from "../support/pictures.js";
import { inTemporaryFolder } from "../support/temporary.js";

describe("scalekv eval cache", () => {
  it("draws every prompt under every cache, measures it against the full one, and goes on where it stopped", () =>
    inTemporaryFolder(async (folder) => {
      const [prompts, out, budget] = ["prompts.txt", "out", "budget.json"].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ];
      await writeFile(prompts, "a red fox\n\na lighthouse\na kite\n");
      const small = ["--model", "tiny", "--pixels", "0.06M"];
      expect(
        await scalekv("calibrate", "--prompts", prompts, "--budget", "20%", "--out", budget, ...small),
      ).toMatchObject({ code: 0 });
      const wish = [
        "--prompts",
        prompts,
        "--out",
        out,
        "--calibration",
        budget,
        "--limit",
        "2",
        "--batch",
        "2",
        "--json",
      ];
      const caches = ["--policies", "scalekv,heatkv", "--budgets", "20%"];
      const evaluate = (): ReturnType<typeof scalekv> => scalekv("eval", "cache", ...wish, ...caches, ...small);
      const { code, stdout, stderr } = await evaluate();
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const summaries = JSON.parse(stdout) as Summary[];
      expect(summaries.map(({ contender, images, tokens }) => [contender, images, tokens])).toEqual([
        ["scalekv-20%", 2, 54],
        ["heatkv-20%", 2, 54],
      ]);
      const files = ["00000.png", "00001.png"];
      expect(await readdir(join(out, "full"))).toEqual(files);
      const values = await Promise.all(
        files.map(async (file) =>
          psnr(await readPicture(join(out, "full", file)), await readPicture(join(out, "scalekv-20%", file))),
        ),
      );
      expect(summaries[0]!.psnr).toBeCloseTo((values[0]! + values[1]!) / 2, 9);
      expect(await readFile(join(out, "table.md"), "utf8")).toContain("| heatkv-20% | 54 |");
      expect(await readFile(join(out, "plot.svg"), "utf8")).toContain(">heatkv<");

      // A stop in the middle of a line, and a missing outcome.
      const record = join(out, "outcomes.jsonl");
      const lines = (await readFile(record, "utf8")).split("\n").filter(Boolean);
      await writeFile(record, `${lines.slice(0, 3).join("\n")}\n${lines[3]!.slice(0, 20)}`);
      await rm(join(out, "heatkv-20%", "00001.png"));
      const again = JSON.parse((await evaluate()).stdout) as Summary[];
      const timeless = (all: Summary[]): unknown => all.map((one) => ({ ...one, seconds: 0 }));
      expect(timeless(again)).toEqual(timeless(summaries));
      expect(await readdir(join(out, "heatkv-20%"))).toEqual(files);

      // Something else has the table's name: what was measured is printed all the same.
      await rm(join(out, "table.md"));
      await mkdir(join(out, "table.md", "inside"), { recursive: true });
      const kept = await evaluate();
      expect(kept).toMatchObject({
        code: 2,
        stderr: `scalekv: ${join(out, "table.md")}: cannot be written: it is a folder\n`,
      });
      expect(timeless(JSON.parse(kept.stdout) as Summary[])).toEqual(timeless(summaries));

      await writeFile(prompts, "another\n");
      expect(await evaluate()).toEqual({
        code: 2,
        stdout: "",
        stderr: `scalekv: --out ${out}: holds an evaluation of another model, other prompts or settings\n`,
      });
    }));

  it.each([
    [
      ["--policies", "full"],
      "--policies full: not one of scalekv, snapkv, pyramidkv, streaming-llm, sliding-window, h2o, heatkv, hack, adaptive, scalekv-reference",
    ],
    [
      ["--model", "tiny", "--policies", "heatkv"],
      "policy heatkv: needs a calibration, which tells the heads apart; see scalekv calibrate",
    ],
    [["--budgets", "10%,x"], "budget x: not a share (10%), tokens a layer (650) or memory (200KiB, 200MiB, 2GiB)"],
    [["--storages", "int4"], "--storages int4: not one of fp32, fp16, int8"],
    [["--limit", "0"], "--limit 0: not a whole number from 1 to 1048576"],
  ])("refuses %j with one line", (flags, line) =>
    inTemporaryFolder(async (folder) => {
      const prompts = join(folder, "prompts.txt");
      await writeFile(prompts, "a fox\n");
      const out = join(folder, "out");
      const { code, stderr } = await scalekv("eval", "cache", "--prompts", prompts, "--out", out, ...flags);
      expect({ code, stderr }).toEqual({ code: 2, stderr: `scalekv: ${line}\n` });
      expect(await readdir(folder)).toEqual(["prompts.txt"]);
    }),
  );

  it("begins no folder where weights cannot be kept", () =>
    inTemporaryFolder(async (folder) => {
      const prompts = join(folder, "prompts.txt");
      await writeFile(prompts, "a red fox\n");
      const flags = ["--prompts", prompts, "--out", join(folder, "out"), "--model", "tiny", "--weights", "q8"];
      vi.stubEnv("SCALEKV_CACHE_LIMIT", "12");
      try {
        expect(await scalekv("eval", "cache", ...flags)).toMatchObject({
          code: 2,
          stderr: "scalekv: SCALEKV_CACHE_LIMIT 12: not a size, such as 512MiB or 16GiB\n",
        });
      } finally {
        vi.unstubAllEnvs();
      }
      expect(await readdir(folder)).toEqual(["prompts.txt"]);
    }));
});
