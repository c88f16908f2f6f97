/** `scalekv sample`, `verify` and `merge`, from prompts to folders that others can read. */
import { appendFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { SampleReport } from "../../src/sampling/sample.js";
import { scalekv, startScalekv, type Finished } from "../support/command.js";
import { lasting, ledgerLines, until } from "../support/sampling.js";

const PROMPTS = ["a red fox", "a lighthouse", "a kite", "two cats", "a boat"];
const FILES = PROMPTS.map((_, i) => `000${i}.png`);

let folder: string;
/** The folder of a whole run, which tests copy. */
let whole: string;
let report: SampleReport;

const at = (name: string): string => join(folder, name);
const sample = (out: string, ...more: string[]): string[] => {
  return ["sample", "--model", "tiny", "--prompts", at("prompts.txt"), "--out", out, ...more];
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scalekv-"));
  await writeFile(at("prompts.txt"), PROMPTS.join("\n"));
  whole = at("whole");
  const { code, stdout, stderr } = await scalekv(...sample(whole, "--json"));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  report = JSON.parse(stdout) as SampleReport;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function copyOfWhole(name: string): Promise<string> {
  await cp(whole, at(name), { recursive: true });
  return at(name);
}

function refusal({ code, stdout, stderr }: Finished): string {
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^scalekv: [^\n]*\n$/);
  return stderr.slice("scalekv: ".length, -1);
}

// Some draw several runs, each of which loads the model, on machines that have other things to do as well.
describe("scalekv sample", { timeout: 240_000 }, () => {
  it("draws every prompt, and reports", async () => {
    expect([...(await lasting(whole)).keys()]).toEqual([...FILES, "manifest.json", "tasks.jsonl"]);
    expect(report).toMatchObject({ place: whole, total: 5, drawn: 5, skipped: 0, failed: [] });
    expect(report.perSecond).toBeCloseTo(5 / report.seconds, 9);
    // 265 tokens × 4 layers × 2 rows × 128 channels × 8 bytes.
    expect(report.cacheBytes).toBe(2_170_880);
    expect(report.peakBytes).toBeGreaterThan(report.cacheBytes);
  });

  it("draws the picture that generate draws with the prompt's number as its seed", async () => {
    const alone = at("alone.png");
    await scalekv("generate", PROMPTS[3]!, "--seed", "3", "--model", "tiny", "--out", alone);
    const [one, other] = await Promise.all([alone, join(whole, FILES[3]!)].map((file) => sharp(file).raw().toBuffer()));
    expect(Buffer.compare(one!, other!)).toBe(0);
  });

  it("draws again what is missing, damaged or not recorded, and nothing else", async () => {
    const out = await copyOfWhole("resumed");
    await rm(join(out, FILES[0]!));
    await appendFile(join(out, FILES[1]!), "x");
    const [ledger] = await readdir(join(out, "records"));
    const path = join(out, "records", ledger!);
    const lines = (await readFile(path, "utf8")).split("\n");
    // The line of the third picture was never finished; those after it were written by a sound process.
    await writeFile(path, [...lines.slice(0, 2), lines[2]!.slice(0, 40), ...lines.slice(3)].join("\n"));
    await writeFile(join(out, "tasks.jsonl"), "");
    const { code, stdout } = await scalekv(...sample(out, "--json"));
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ drawn: 3, skipped: 2, failed: [] });
    expect(await lasting(out)).toEqual(await lasting(whole));
    expect(JSON.parse((await scalekv(...sample(out, "--json"))).stdout)).toMatchObject({ drawn: 0, skipped: 5 });
  });

  it("stops at Ctrl-C between pictures, and goes on where it was", async () => {
    const out = at("stopped");
    const running = startScalekv(...sample(out, "--batch", "1"));
    await until(async () => (await ledgerLines(out))[0]);
    running.interrupt();
    expect(await running.finished).toEqual({
      code: 130,
      stdout: "",
      stderr: "scalekv: stopped; the same command goes on from here\n",
    });
    const done = (await ledgerLines(out)).length;
    expect(done).toBeLessThan(PROMPTS.length);
    const { stdout } = await scalekv(...sample(out, "--json"));
    expect(JSON.parse(stdout)).toMatchObject({ drawn: PROMPTS.length - done, skipped: done });
    expect(await lasting(out)).toEqual(await lasting(whole));
  });

  it("refuses a folder of another run, of a damaged one, or of none, before it draws", async () => {
    const out = await copyOfWhole("refused");
    const refused = async (...more: string[]): Promise<string> => refusal(await scalekv(...sample(out, ...more)));
    expect(await refused("--top-k", "1")).toBe(`${out}: holds a run with topK 900, asked for is 1`);
    expect(await refused("--limit", "4")).toBe(`${out}: holds a run of other prompts: 5 tasks, asked for are 4`);
    expect(await refused("--seed", "1")).toContain('task 0 is {"prompt":"a red fox","seeds":[0]');
    const manifest = join(out, "manifest.json");
    await writeFile(manifest, (await readFile(manifest, "utf8")).replace('"guidance": 4', '"guidance": 5'));
    expect(await refused()).toMatch(/manifest\.json: damaged: its settings do not have the hash/);
    await rm(manifest);
    expect(await refused()).toContain(": holds 0000.png and no manifest.json, so it is no run's folder");
  });

  it.each([
    [["--shard", "2/2"], "--shard 2/2: not NUMBER/COUNT with a number from 0 to COUNT - 1, such as 0/4"],
    [["--memory", "4"], "--memory 4: not a size above 0, such as 512MiB or 4GiB"],
    [["--pair"], "--pair: needs a --policy with a --budget, or another --storage, to compare the full cache with"],
    [["--policy", "scalekv"], "policy scalekv: needs a budget, such as 10%"],
  ])("refuses %j with one line, and makes no folder", async (flags, line) => {
    expect(refusal(await scalekv(...sample(at("never"), ...flags)))).toBe(line);
    expect(await readdir(folder)).not.toContain("never");
  });

  it("begins no folder where weights cannot be kept", async () => {
    vi.stubEnv("SCALEKV_CACHE", "/dev/null");
    try {
      const line = refusal(await scalekv(...sample(at("unkept"), "--weights", "q8")));
      expect(line).toContain("/dev/null/weights: weights cannot be kept there (ENOTDIR)");
    } finally {
      vi.unstubAllEnvs();
    }
    expect(await readdir(folder)).not.toContain("unkept");
  });

  it("draws pairs that score takes as they are", async () => {
    const out = at("pair");
    const flags = ["--pair", "--policy", "scalekv", "--budget", "20%", "--limit", "2", "--json"];
    const { stdout } = await scalekv(...sample(out, ...flags));
    expect(JSON.parse(stdout)).toMatchObject({ full: { drawn: 2 }, compressed: { drawn: 2, cacheBytes: 442_368 } });
    const [full, compressed] = [join(out, "full"), join(out, "scalekv-0.2")];
    expect(await readFile(join(full, FILES[1]!))).toEqual(await readFile(join(whole, FILES[1]!)));
    const scores = await scalekv("score", full, compressed, "--metrics", "psnr", "--json");
    expect(JSON.parse(scores.stdout)).toMatchObject({ count: 2 });
  });
});

describe("scalekv verify", () => {
  it("finds nothing amiss in a whole folder", async () => {
    expect(await scalekv("verify", whole)).toEqual({
      code: 0,
      stdout: `${whole}: 5 of 5 pictures, nothing amiss\n`,
      stderr: "",
    });
  });

  it("has a line for every problem, and exit code 1", async () => {
    const out = await copyOfWhole("damaged");
    await rm(join(out, FILES[2]!));
    await appendFile(join(out, FILES[1]!), "x");
    await writeFile(join(out, "0005.png"), "");
    expect(await scalekv("verify", out)).toEqual({
      code: 1,
      stdout: [
        ...["0001.png: damaged", "0002.png: missing", "0005.png: extra"],
        `${out}: 3 of 5 pictures, 3 problems\n`,
      ].join("\n"),
      stderr: "",
    });
    const { code, stdout } = await scalekv("verify", out, "--json");
    expect([code, JSON.parse(stdout)]).toMatchObject([1, { total: 5, done: 3 }]);
  });

  it("refuses what is no sampling folder", async () => {
    expect(refusal(await scalekv("verify", folder))).toBe(`${folder}: no sampling folder: it has no manifest.json`);
  });
});

describe("scalekv merge", { timeout: 240_000 }, () => {
  it("joins shards to what one machine draws", async () => {
    const shards = ["0/2", "1/2"].map((shard) => [shard, at(`shard-${shard[0]}`)] as const);
    for (const [shard, out] of shards) await scalekv(...sample(out, "--shard", shard));
    const [[, first], [, second]] = shards as [readonly [string, string], readonly [string, string]];
    expect((await readdir(first)).filter((name) => name.endsWith(".png"))).toEqual([FILES[0], FILES[2], FILES[4]]);
    const merged = at("merged");
    expect(await scalekv("merge", merged, first)).toMatchObject({
      code: 1,
      stdout: `${merged}: 3 pictures copied, 0 were there, 2 of 5 are missing\n`,
    });
    expect(await scalekv("merge", merged, first, second)).toMatchObject({
      code: 0,
      stdout: `${merged}: 2 pictures copied, 3 were there, 0 of 5 are missing\n`,
    });
    expect(await scalekv("verify", merged)).toMatchObject({ code: 0 });
    expect(await lasting(merged)).toEqual(await lasting(whole));
  });

  it("refuses what is no sampling folder", async () => {
    expect(refusal(await scalekv("merge", at("never"), folder))).toContain("no sampling folder");
  });
});
