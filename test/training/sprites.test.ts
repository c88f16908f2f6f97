/** The rendering of the sprite set in training/data, on drawings made up here and, where it is installed, on the real art. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { openArt, type ArtSet } from "../../training/data/art.js";
import { plainName, readEmojis, type Emoji } from "../../training/data/emojis.js";
import { renderSprites, writeSprites } from "../../training/data/sprites.js";
import { inTemporaryFolder } from "../support/temporary.js";

const TRAINING = resolve("training");
const ART_INSTALLED = existsSync(join(TRAINING, "node_modules", "@iconify-json", "noto"));
const OPTIONS = { size: 32, quality: 92 };

/** Draws a disc of one colour for the code points it knows. */
function discs(style: string, colours: Readonly<Record<string, string>>): ArtSet {
  return {
    style,
    source: `discs of ${style}`,
    draw: (codes) => {
      const colour = codes.map((code) => colours[code]).find((found) => found !== undefined);
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="3" fill="${colour}"/></svg>`;
      return Promise.resolve(colour === undefined ? undefined : sharp(Buffer.from(svg)));
    },
  };
}

const APPLE: Emoji = { name: "red apple", group: "food", codes: ["1f34e"] };
const PEAR: Emoji = { name: "pear", group: "food", codes: ["1f350"] };
const SETS = [discs("flat", { "1f34e": "#f00", "1f350": "#0f0" }), discs("cartoon", { "1f34e": "#c00" })];

describe("renderSprites", () => {
  it("gives the same bytes every time", async () => {
    const [first, second] = await Promise.all([
      renderSprites([APPLE, PEAR], SETS, OPTIONS),
      renderSprites([APPLE, PEAR], SETS, OPTIONS),
    ]);
    expect(second.bytes.equals(first.bytes)).toBe(true);
    expect(second.entries).toEqual(first.entries);
  });

  it("leaves out what one of the styles cannot draw", async () => {
    const { entries } = await renderSprites([PEAR, APPLE], SETS, OPTIONS);
    expect(entries.map(({ name, style }) => `${style} ${name}`)).toEqual(["flat red apple", "cartoon red apple"]);
  });

  it("packs the images one after another, each a square with transparent corners", async () => {
    const { entries, bytes } = await renderSprites([APPLE], SETS, OPTIONS);
    expect(entries.map(({ offset }) => offset)).toEqual([0, entries[0]!.length]);
    expect(bytes.length).toBe(entries[0]!.length + entries[1]!.length);
    const { offset, length } = entries[1]!;
    const { data, info } = await sharp(bytes.subarray(offset, offset + length))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([32, 32, 4]);
    expect(data[3]).toBe(0); // alpha of the top left pixel
  });

  it("writes one line a sprite", async () => {
    const set = await renderSprites([APPLE], SETS, OPTIONS);
    const text = await inTemporaryFolder(async (folder) => {
      await writeSprites(folder, set);
      return readFile(join(folder, "sprites.jsonl"), "utf8");
    });
    const lines = text.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(set.entries);
  });
});

describe("plainName", () => {
  it.each([
    ["T-Rex", "t rex"],
    ["piñata", "pinata"],
    ["man’s shoe", "mans shoe"],
    ["cat face", "cat face"],
  ])("writes %s as %s", (label, name) => {
    expect(plainName(label)).toBe(name);
  });
});

describe.skipIf(!ART_INSTALLED)("the real art (npm install --prefix training)", () => {
  it("is drawn as when the shipped model was trained", async () => {
    const wanted = new Set(["red apple", "rocket"]);
    const emojis = readEmojis(TRAINING).filter(({ name }) => wanted.has(name));
    const { bytes, entries } = await renderSprites(emojis, openArt(TRAINING), { size: 128, quality: 92 });
    expect(entries.map(({ name, style }) => `${style} ${name}`)).toEqual([
      "3d red apple",
      "flat red apple",
      "cartoon red apple",
      "3d rocket",
      "flat rocket",
      "cartoon rocket",
    ]);
    expect(createHash("sha256").update(bytes).digest("hex").slice(0, 16)).toBe("bd1841beab24bf73");
  });
});
