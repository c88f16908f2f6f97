import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inTemporaryFolder } from "../../../test/support/temporary.js";
import type { Art } from "./art.js";
import { readArt } from "./art-folder.js";
import { parseAsked, tellsWhatIsAsked } from "./asked.js";

const ART: Art = {
  drawings: [{ name: "star", style: "flat", sprite: { side: 1, data: new Float32Array(4) } }],
  layouts: [],
  colours: new Map([["red", [1, 0, 0]]]),
};

const LINE = {
  ...{ id: "x-00", category: "x", prompt: "a star", check: ["names"], kind: "one", names: ["star"], count: 1 },
  ...{ relation: null, style: null, background: null },
};

const parse = (...lines: object[]): unknown =>
  parseAsked(lines.map((line) => `${JSON.stringify(line)}\n`).join("\n"), ART, "p.jsonl");

describe("parseAsked", () => {
  it("reads the prompts that come with the model", async () => {
    const art = (await readArt("models/stickers/checker"))!;
    const text = readFileSync("models/stickers/checker/held-out.jsonl", "utf8");
    expect(tellsWhatIsAsked(text)).toBe(true);
    expect(parseAsked(text, art, "held-out")).toHaveLength(216);
  });

  it("passes over blank lines", () => {
    expect(parse(LINE, LINE)).toHaveLength(2);
  });

  it.each([
    [{ names: ["moon"] }, "p.jsonl: line 1: name moon: not among the checker's"],
    [{ style: "3d" }, "p.jsonl: line 1: style 3d: not among the checker's"],
    [{ background: ["blue"] }, "p.jsonl: line 1: background blue: not among the checker's"],
    [{ check: ["relation"] }, "p.jsonl: line 1: check names relation, which is null"],
    [{ check: ["mood"] }, /^p\.jsonl: line 1: check 0 Invalid option/],
    [{ count: 0 }, /^p\.jsonl: line 1: count Too small/],
  ])("refuses %j", (change, message) => {
    expect(() => parse({ ...LINE, ...change })).toThrow(message);
  });

  it("refuses other files", () => {
    expect(() => parseAsked("a star", ART, "p")).toThrow("p: line 1: not JSON");
    expect(() => parseAsked("\n", ART, "p")).toThrow("p: holds 0 prompts, at least 1 is needed");
    for (const text of ["a star", '{"prompt":"a star"}', "[1]", "null", ""]) expect(tellsWhatIsAsked(text)).toBe(false);
  });
});

describe("readArt", () => {
  it("is undefined where there is no checker", () =>
    inTemporaryFolder(async (folder) => {
      expect(await readArt(join(folder, "checker"))).toBeUndefined();
    }));

  it("names what is wrong with a folder", () =>
    inTemporaryFolder(async (folder) => {
      const rules = join(folder, "checker.json");
      const drawing = { name: "star", style: "flat", file: "flat/star.webp" };
      const layout = { kind: "one", relation: null, size: 0.8, places: [[0.5, 0.5]] };
      const whole = { drawings: [drawing], layouts: [layout], colours: { red: [1, 0, 0] } };
      const refused = async (value: unknown): Promise<unknown> => {
        await writeFile(rules, typeof value === "string" ? value : JSON.stringify(value));
        return readArt(folder).then(
          () => "read",
          (error: unknown) => (error as Error).message,
        );
      };
      expect(await refused("{")).toBe(`${rules}: not JSON`);
      expect(await refused({ ...whole, layouts: [] })).toMatch(/checker\.json: layouts Too small/);
      const outside = { ...drawing, file: "../star.webp" };
      expect(await refused({ ...whole, drawings: [outside] })).toBe(
        `${rules}: drawings 0 file not the name of a picture in this folder`,
      );
      expect(await refused(whole)).toBe(`${join(folder, "flat/star.webp")}: cannot be read as a picture`);
      await mkdir(join(folder, "flat"));
      const { default: sharp } = await import("sharp");
      await sharp({ create: { width: 3, height: 2, channels: 4, background: "red" } }).toFile(
        join(folder, "flat/star.webp"),
      );
      expect(await refused(whole)).toBe(`${join(folder, "flat/star.webp")}: 3x2 is not square`);
    }));
});
