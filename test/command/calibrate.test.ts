/** From prompts to a budget file, and from that to an image, with the model that ships with the package. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { parseBudget } from "../../src/budget/budget.js";
import { scalekv } from "../support/command.js";
import { inTemporaryFolder } from "../support/temporary.js";

describe("scalekv calibrate", () => {
  it("writes a budget that generate takes, and a picture", () =>
    inTemporaryFolder(async (folder) => {
      const [prompts, out, picture] = ["prompts.txt", "budget.json", "scores.png"].map((name) => join(folder, name));
      await writeFile(prompts!, "a red fox in the snow\r\n\r\n  a lighthouse  \n");
      const size = ["--model", "tiny", "--pixels", "0.06M"];
      const args = ["--prompts", prompts!, "--budget", "10%", "--out", out!, "--picture", picture!];
      const { code, stdout, stderr } = await scalekv("calibrate", ...args, ...size, "--drafters", "2");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(`${out!}: 27 of 265 tokens a layer; drafters: 2; prompts: 2\n`);
      // Once for each drafter, once in the legend.
      expect(stdout.match(/DD/g)).toHaveLength(3);

      const budget = parseBudget(await readFile(out!, "utf8"), out!);
      expect(budget.model).toMatchObject({ depth: 4, width: 128 });
      expect(budget.roles.flat().filter((role) => role === "drafter")).toHaveLength(2);
      // A cell of 16 pixels for every layer and every scale but the first.
      expect(await sharp(picture).metadata()).toMatchObject({ width: 96, height: 64 });

      const image = join(folder, "fox.png");
      const drawn = ["a fox", "--policy", "scalekv", "--budget", out!, ...size, "--out", image, "--json"];
      const generated = await scalekv("generate", ...drawn);
      expect(generated.code).toBe(0);
      const { report } = JSON.parse(generated.stdout) as {
        report: { budget: number; stages: { cacheBytes: number }[] };
      };
      // Two rows of 4 layers of width 128 keep 27 tokens on average, keys and values as float32.
      expect(report.stages.find((_, i) => i === 6)?.cacheBytes).toBe(2 * 4 * 27 * 128 * 2 * 4);
      expect((await readdir(folder)).sort()).toEqual(["budget.json", "fox.png", "prompts.txt", "scores.png"]);
    }));

  it.each([
    [["--budget", "10%", "--out", "b.txt"], "--out b.txt: the ending is not .json"],
    [["--budget", "10%", "--out", "b.json", "--picture", "b.gif"], "--picture b.gif: the ending is not .png"],
    [
      ["--budget", "lots", "--out", "b.json"],
      "budget lots: not a share (10%), tokens a layer (650) or memory (200KiB, 200MiB, 2GiB)",
    ],
    [["--budget", "10%", "--out", "b.json", "--prompts", "no.txt"], "--prompts no.txt: cannot be read (ENOENT)"],
    [
      ["--budget", "10%", "--out", "b.json", "--prompts", "/dev/null"],
      "--prompts /dev/null: holds 0 prompts, at least 1 is needed",
    ],
    [["--budget", "10%"], "required option '--out <file>' not specified"],
    [
      ["--budget", "10%", "--out", "b.json", "--device", "webgpu"],
      "option '--device <name>' argument 'webgpu' is invalid. Allowed choices are cpu, cuda.",
    ],
  ])("refuses bad input with code 2 and one line: %j", async (args, line) => {
    expect(await scalekv("calibrate", ...args)).toEqual({ code: 2, stdout: "", stderr: `scalekv: ${line}\n` });
  });
});
