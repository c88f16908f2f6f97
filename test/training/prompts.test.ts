/** The evaluation's prompts: what each line says about the picture is complete and belongs to the names trained on. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

interface Line {
  readonly id: string;
  readonly category: string;
  readonly prompt: string;
  readonly check: readonly (keyof Line)[];
  readonly names: readonly string[];
  readonly count: number;
  readonly relation: string | null;
  readonly style: string | null;
  readonly background: readonly string[] | null;
}

const FILE = "models/stickers/checker/held-out.jsonl";
const lines = readFileSync(FILE, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Line);
const spoken = JSON.parse(readFileSync("training/names/forty.json", "utf8")) as Readonly<Record<string, string[]>>;

describe("the held-out prompts", () => {
  it("has at least 20 prompts in each of six categories, 200 in all, none twice", () => {
    const counts = new Map<string, number>();
    for (const { category } of lines) counts.set(category, (counts.get(category) ?? 0) + 1);
    expect([...counts.keys()]).toEqual(["single", "colour", "style", "two", "position", "count"]);
    expect(Math.min(...counts.values())).toBeGreaterThanOrEqual(20);
    expect(lines.length).toBeGreaterThanOrEqual(200);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length);
    expect(new Set(lines.map(({ prompt }) => prompt)).size).toBe(lines.length);
  });

  it("says what every check is about", () => {
    expect(lines.filter((line) => line.check.some((field) => line[field] === null))).toEqual([]);
    expect(lines.filter(({ category, count }) => (category === "count") !== count > 1)).toEqual([]);
  });

  it("names in each prompt what the picture should show", () => {
    const unsaid = lines.filter(({ prompt, names, style, background }) => {
      // plurals keep the first four letters: "strawberries"
      const words = [...names.map((name) => spoken[name]![0]!.slice(0, 4)), style ?? "", ...(background ?? [])];
      return words.some((word) => !prompt.includes(word));
    });
    expect(unsaid).toEqual([]);
  });
});
