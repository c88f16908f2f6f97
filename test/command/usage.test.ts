/** What the command says before it does anything: help, and one line on bad input. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { scalekv } from "../support/command.js";
import { inTemporaryFolder } from "../support/temporary.js";

describe("scalekv", () => {
  it("lists its commands with --help and its version with --version", async () => {
    const help = await scalekv("--help");
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const name of [
      "generate",
      "calibrate",
      "reconstruct",
      "eval",
      "score",
      "download",
      "inspect",
      "trace",
      "bench",
    ])
      expect(help.stdout).toMatch(new RegExp(`^  ${name} `, "m"));
    const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
    expect(await scalekv("--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it.each(["generate", "calibrate", "reconstruct", "eval", "score", "download", "inspect", "trace", "bench"])(
    "explains %s with --help",
    async (name) => {
      const { code, stdout, stderr } = await scalekv(name, "--help");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(new RegExp(`^Usage: scalekv ${name} `));
    },
  );
});

/** Every case: the arguments, and the one line that must come of them. */
const REFUSED: readonly (readonly [args: readonly string[], line: string])[] = [
  [["paint"], "unknown command 'paint'"],
  [["generate"], "required option '--out <file>' not specified"],
  [["generate", "--out", "x.png"], "no prompt: write one, or name a file of them with --prompts"],
  [["generate", "a fox", "--out", "x.png", "--sed", "7"], "unknown option '--sed' (Did you mean --seed?)"],
  [["generate", "a fox", "--out", "x.png", "--seed", "7x"], "--seed 7x: not a whole number from 0 to 4294967295"],
  [["generate", "a fox", "--out", "x.png", "--seed"], "option '--seed <n>' argument missing"],
  [["generate", "a fox", "--out", "x.png", "--guidance", "3,"], '--guidance "": not a number from 0 to 100'],
  [["generate", "a fox", "--out", "x.png", "--size", "10x512"], "--size 10: not a whole number from 64 to 4096"],
  [
    ["generate", "a fox", "--out", "x.png", "--device", "tpu"],
    "option '--device <name>' argument 'tpu' is invalid. Allowed choices are cpu, webgpu, cuda.",
  ],
  [["generate", "a fox", "--out", "x.gif"], "--out x.gif: the ending is not one of .png, .jpg, .jpeg, .webp"],
  [["generate", "a fox", "--out", "no/x.png"], "no/x.png: cannot be written: there is no folder no"],
  [
    ["trace", "--model", "tiny", "--case", ".", "--out", "no/x.safetensors"],
    "no/x.safetensors: cannot be written: there is no folder no",
  ],
];

describe("bad input", () => {
  it.each(REFUSED)("ends with code 2 and one line: %j", async (args, line) => {
    expect(await scalekv(...args)).toEqual({ code: 2, stdout: "", stderr: `scalekv: ${line}\n` });
  });

  it("refuses a folder that is a file", () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, "file");
      await writeFile(file, "");
      const { code, stderr } = await scalekv("generate", "a fox", "--out", join(file, "x.png"));
      expect(code).toBe(2);
      expect(stderr).toBe(`scalekv: ${join(file, "x.png")}: cannot be written: ${file} is not a folder\n`);
    }));
});
