/** `scalekv bench` as a user runs it. */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { scalekv, startScalekvWith } from "../support/command.js";
import { inTemporaryFolder } from "../support/temporary.js";

/** One row of `bench memory --json`. */
interface Row {
  readonly batch: number;
  readonly share: number;
  readonly tokens: number;
  readonly bytes: Readonly<Record<"published" | "fp32" | "fp16" | "int8", number>>;
}

describe("scalekv bench memory", () => {
  it("prints the paper's Table 3 for Infinity 2B", async () => {
    const { code, stdout, stderr } = await scalekv("bench", "memory", "--model", "infinity-2b", "--batch", "8");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(
      [
        "infinity-2b: 32 layers, width 2048, 16 heads; 1M at ratio 1",
        "MiB of keys and values, two rows an image (guidance)",
        "",
        "batch  budget  tokens  published     fp32     fp16     int8",
        "    8    100%    6425    38550.0  51400.0  25700.0  13293.6",
        "    8     20%    1300     7800.0  10400.0   5200.0   2723.3",
        "    8     10%     650     3900.0   5200.0   2600.0   1382.6",
        "    8      4%     265     1590.0   2120.0   1060.0    588.6",
        "",
        "tokens     a layer keeps on average; all earlier scales have 6425, with the last one 10521",
        "published  fp32 keys and bf16 values, as the paper counts; nothing of the last scale",
        "int8       with an fp32 scale for every row, head and token, and a second byte for the first 21 tokens of a layer",
        "",
      ].join("\n"),
    );
  });

  it("prints it in bytes for Infinity 8B with --json", async () => {
    const { code, stdout } = await scalekv("bench", "memory", "--model", "infinity-8b", "--batch", "1,8", "--json");
    expect(code).toBe(0);
    const { model, tokens, rows } = JSON.parse(stdout) as { model: object; tokens: object; rows: Row[] };
    expect(model).toEqual({ name: "infinity-8b", depth: 40, width: 3584, heads: 28 });
    expect(tokens).toEqual({ history: 6425, withLastScale: 10521 });
    const published = rows.filter(({ batch }) => batch === 8).map(({ bytes }) => bytes.published / 2 ** 20);
    expect(published).toEqual([84_328.125, 17_062.5, 8_531.25, 3_478.125]);
    expect(rows.map(({ batch, share }) => `${batch} ${share}`)).toHaveLength(8);
  });

  it("knows other sizes, ratios and the model's own size class", async () => {
    const { stdout } = await scalekv("bench", "memory", "--model", "infinity-125m", "--ratio", "1.5", "--batch", "1");
    expect(stdout).toMatch(/^infinity-125m: 12 layers, width 768, 8 heads; 0\.06M at ratio 1\.5\n/);
    const layer48 = await scalekv("bench", "memory", "--model", "layer48", "--pixels", "0.25M", "--batch", "1");
    expect(layer48.stdout).toMatch(/^layer48: 48 layers, width 3360, 28 heads; 0\.25M at ratio 1\n/);
  });

  it("explains itself with --help", async () => {
    const { code, stdout, stderr } = await scalekv("bench", "memory", "--help");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Usage: scalekv bench memory /);
  });

  it.each([
    [[], "required option '--model <name>' not specified"],
    [
      ["--model", "constructor"],
      "--model constructor: not one of infinity-2b, infinity-8b, infinity-8b-512, infinity-125m, 2B, 8B, layer12, layer16, layer24, layer32, layer40, layer48",
    ],
    [["--model", "2B", "--batch", "0"], "--batch 0: not a whole number from 1 to 4096"],
    [["--model", "2B", "--batch", "1,"], '--batch "": not a whole number from 1 to 4096'],
    [["--model", "2B", "--ratio", "9"], "--ratio 9: not a number from 0.125 to 8"],
    [
      ["--model", "2B", "--pixels", "4M"],
      "option '--pixels <class>' argument '4M' is invalid. Allowed choices are 0.06M, 0.25M, 0.60M, 1M.",
    ],
  ])("ends with code 2 and one line: %j", async (args, line) => {
    expect(await scalekv("bench", "memory", ...args)).toEqual({ code: 2, stdout: "", stderr: `scalekv: ${line}\n` });
  });
});

describe("scalekv bench machine", () => {
  it("prints what this machine can do at best", async () => {
    const { code, stdout, stderr } = await scalekv("bench", "machine", "--width", "64", "--threads", "1");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const rate = String.raw`\d+\.\d`;
    expect(stdout).toMatch(/^GFLOP\/s of matrix products, weights in\n +fp32 +q8 +w8a8 +q4\n512 x 64 x 64 /);
    expect(stdout).toMatch(new RegExp(`\nat best +${rate} +${rate} +${rate} +${rate}\n\n${rate} GB/s of memory`));
  });

  it("refuses a width that no model has", async () => {
    const line = "scalekv: --width 16: not a whole number from 32 to 8192\n";
    expect(await scalekv("bench", "machine", "--width", "16")).toEqual({ code: 2, stdout: "", stderr: line });
  });
});

/** What `bench generate --json` prints, as far as it is looked at. */
interface Observed {
  readonly seconds: number;
  readonly report: { readonly seconds: number; readonly stages: readonly { readonly name: string }[] };
  readonly profile: {
    readonly stages: readonly {
      readonly name: string;
      readonly seconds: number;
      readonly parts: readonly { readonly name: string; readonly seconds: number; readonly floorSeconds: number }[];
    }[];
    readonly total: { readonly seconds: number; readonly operations: number; readonly floorSeconds: number };
  };
}

/** For a command to load its model. */
const WAITING = { timeout: 60_000 };

/** ONNX Runtime's profiles in a folder: the folder made for them, and what is in it. */
async function profilesIn(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).filter((name) => name.startsWith("scalekv-profile-"));
}

describe("scalekv bench generate", () => {
  const tiny = ["bench", "generate", "a fox", "--model", "tiny", "--pixels", "0.06M", "--threads", "1"];

  it("tells the parts of every stage, their floors and the slowest operators, and draws them", async () => {
    await inTemporaryFolder(async (folder) => {
      const out = join(folder, "profile.svg");
      const { code, stdout, stderr } = await scalekv(...tiny, "--operators", "3", "--out", out);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/^tiny on cpu, full cache in fp32: 1 image, 7 scales, 521 tokens each\n/);
      for (const part of ["text encoder", "projections", "attention", "mlp", "vae", "total"])
        expect(stdout).toMatch(new RegExp(`\n${part} +\\d+\\.\\d{3} +\\d+\\.\\d % `));
      expect(stdout).toMatch(
        /\nby itself, loaded and without this observation: \d+\.\d{3} seconds, \d+\.\d\d of the floor\n/,
      );
      expect(stdout).toMatch(/\nprojections and MLP, products alone: \d+ GFLOP\/s, \d\.\d\d of the best\n/);
      expect(stdout).toMatch(/\nscale 7 +16x16 /);
      expect(stdout).toMatch(/\noperator +part +seconds +share +runs\n(?:\w+ .*\n){3}\n/);
      expect(await readFile(out, "utf8")).toMatch(/^<svg [^]*<\/svg>\n$/);
    });
  });

  it("prints it as JSON, with parts that fill their stages, for a compressed cache, guided layers and weights in 8 bits", async () => {
    await inTemporaryFolder(async (folder) => {
      const out = join(folder, "out", "profile.svg");
      await mkdir(dirname(out));
      const flags = ["--policy", "scalekv", "--budget", "60%", "--weights", "q8", "--guidance-layer", "-1", "--json"];
      const { finished } = startScalekvWith({ TMPDIR: folder }, ...tiny, ...flags, "--out", out);
      // The picture's place was looked at before the first profile; what was measured is printed all the same.
      await expect.poll(async () => (await profilesIn(folder)).length, WAITING).toBeGreaterThan(0);
      await rm(dirname(out), { recursive: true });
      const { code, stdout, stderr } = await finished;
      const line = `scalekv: ${out}: cannot be written: there is no folder ${dirname(out)}\n`;
      expect({ code, stderr }).toEqual({ code: 2, stderr: line });
      const { report, profile, seconds } = JSON.parse(stdout) as Observed;
      expect(seconds).toBeGreaterThan(0);
      expect(profile.stages.map(({ name }) => name)).toEqual(report.stages.map(({ name }) => name));
      for (const { seconds, parts } of profile.stages)
        expect(parts.reduce((sum, part) => sum + part.seconds, 0)).toBeCloseTo(seconds, 6);
      const named = (part: string): (typeof profile.stages)[number]["parts"] =>
        profile.stages.flatMap(({ parts }) => parts.filter(({ name }) => name === part));
      const guidance = named("guidance");
      expect(guidance.map(({ seconds }) => seconds > 0)).toEqual(report.stages.slice(1, -1).map(() => true));
      const cache = named("cache");
      expect(cache.some(({ floorSeconds }) => floorSeconds > 0)).toBe(true);
      expect(profile.total.operations).toBeGreaterThan(1e9);
    });
  });

  it.each([
    [["--out", "profile.png"], "--out profile.png: a profile is drawn as .svg"],
    [["--out", "nowhere/profile.svg"], "nowhere/profile.svg: cannot be written: there is no folder nowhere"],
    [["--operators", "3", "--json"], "option '--operators <n>' cannot be used with option '--json'"],
    [["--operators", "0"], "--operators 0: not a whole number from 1 to 1000"],
    [["--device", "webgpu"], "option '--device <name>' argument 'webgpu' is invalid. Allowed choices are cpu."],
    [["--weights", "fp16"], /^weights fp16: not on cpu/],
    [["--model", "nothing"], /^nothing: neither a folder nor a model's name/],
  ])("ends with code 2 and one line: %j", async (args, line) => {
    const { code, stdout, stderr } = await scalekv("bench", "generate", ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.replace(/^scalekv: |\n$/g, "")).toMatch(line);
  });

  it("refuses a place that takes no profiles before it draws anything", async () => {
    const { finished } = startScalekvWith({ TMPDIR: "/nowhere" }, ...tiny);
    const line = "scalekv: TMPDIR /nowhere: no folder can be made there: ENOENT\n";
    expect(await finished).toEqual({ code: 2, stdout: "", stderr: line });
  });

  it("ends at once at a second Ctrl-C, its worker inside of ONNX Runtime, and leaves no profiles", () =>
    inTemporaryFolder(async (folder) => {
      // Its layers take long enough for the second to come before the first is seen to.
      const args = ["bench", "generate", "a fox", "--model", "stickers", "--pixels", "1M"];
      const { interrupt, finished } = startScalekvWith({ TMPDIR: folder }, ...args);
      // The folder, and files of sessions in it.
      await expect.poll(async () => (await profilesIn(folder)).length, WAITING).toBeGreaterThan(10);
      interrupt();
      await new Promise((resolve) => setTimeout(resolve, 20));
      interrupt();
      // Ended by the signal there is no code; an abort would say so.
      expect(await finished).toEqual({ code: null, stdout: "", stderr: "" });
      expect(await profilesIn(folder)).toEqual([]);
    }));
});
