/** The trained model `models/stickers`: its words are those it was trained with, and its pictures follow a prompt. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "../../src/generate/engine.js";
import { loadTokenizer } from "../../src/generate/tokenizer.js";
import type { DrawnImage } from "../../src/generate/types.js";
import { resolveModel } from "../../src/models/folder.js";
import { jsonFolder } from "../../src/models/text-encoder.js";

const MODEL = resolve("models/stickers");

interface Definition {
  readonly model: { readonly vocab: readonly [piece: string, score: number][] };
}

describe("the tokenizer", () => {
  it("has one piece for every word of the evaluation's prompts", async () => {
    const tokenizer = await loadTokenizer(jsonFolder(`${MODEL}/t5`));
    const { model } = JSON.parse(readFileSync(`${MODEL}/t5/tokenizer.json`, "utf8")) as Definition;
    const lines = readFileSync(`${MODEL}/checker/held-out.jsonl`, "utf8").trimEnd().split("\n");
    for (const line of lines) {
      const { prompt } = JSON.parse(line) as { prompt: string };
      const pieces = tokenizer.encode(prompt).map((id) => model.vocab[id]![0]);
      // A comma is a piece of its own, without a space before it.
      const words = prompt
        .split(" ")
        .flatMap((word) => (word.endsWith(",") ? [`▁${word.slice(0, -1)}`, ","] : [`▁${word}`]));
      expect(pieces).toEqual([...words, "</s>"]);
    }
  });
});

describe("its pictures", () => {
  /** Red, green and blue of the backgrounds, as `training/words.py` has them, in levels. */
  const BACKGROUNDS = { blue: [66, 128, 224], green: [89, 179, 92], purple: [143, 92, 199] } as const;
  const colours = Object.keys(BACKGROUNDS) as (keyof typeof BACKGROUNDS)[];
  let engine: Engine;
  let images: readonly DrawnImage[];

  beforeAll(async () => {
    engine = await Engine.load("stickers", {}, resolveModel);
    const prompts = ["a red apple", ...colours.map((colour) => `a red heart on a ${colour} background`)];
    ({ images } = await engine.draw(prompts, { seed: [1, 1, 1, 1] }));
  });
  afterAll(() => engine.dispose());

  it("are 256 pixels wide: a token stands for 8", () => {
    expect(images.map(({ width, height }) => [width, height])).toEqual(new Array(4).fill([256, 256]));
  });

  it.each(colours.map((colour, index) => [colour, index + 1] as const))("have a %s background", (colour, index) => {
    const corner = meanColour(images[index]!, 4, 4, 12);
    // 40 levels: far less than any two of the palette's colours differ by
    for (const [channel, level] of BACKGROUNDS[colour].entries())
      expect(Math.abs(corner[channel]! - level)).toBeLessThan(40);
  });

  it("show something red in the middle, on white where the prompt says nothing", () => {
    const [red, green, blue] = meanColour(images[0]!, 96, 112, 64);
    expect(red! - Math.max(green!, blue!)).toBeGreaterThan(100);
    expect(Math.min(...meanColour(images[0]!, 2, 2, 8))).toBeGreaterThan(215);
  });
});

/** The mean levels of a square of `side` pixels whose top left corner is at (left, top): red, green, blue. */
function meanColour({ data, width }: DrawnImage, left: number, top: number, side: number): number[] {
  const sums = [0, 0, 0];
  for (let y = top; y < top + side; y++) {
    for (let x = left; x < left + side; x++) {
      for (let channel = 0; channel < 3; channel++) sums[channel]! += data[(y * width + x) * 3 + channel]!;
    }
  }
  return sums.map((sum) => sum / (side * side));
}
