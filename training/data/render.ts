/**
 * Renders the sprite set: `node scripts/bench.mjs training/data/render.ts OUT [--names FILE] [--size 128]`, from the
 * repository's root, after `npm install --prefix training`.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { openArt } from "./art.js";
import { readEmojis, type Emoji } from "./emojis.js";
import { renderSprites, writeSprites } from "./sprites.js";

/** Where the art is installed. */
const PACKAGES = resolve("training");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    names: { type: "string" },
    size: { type: "string", default: "128" },
    quality: { type: "string", default: "92" },
  },
});
const [out] = positionals;
if (out === undefined) throw new Error("usage: render.ts OUT [--names FILE] [--size PIXELS] [--quality 1..100]");
const emojis = await wanted(readEmojis(PACKAGES), values.names);
const sprites = await renderSprites(emojis, openArt(PACKAGES), {
  size: Number(values.size),
  quality: Number(values.quality),
});
await writeSprites(out, sprites);
const names = new Set(sprites.entries.map(({ name }) => name)).size;
console.log(`${sprites.entries.length} sprites, ${names} names, ${(sprites.bytes.length / 2 ** 20).toFixed(1)} MiB`);

/** The emojis that a names file lists; all without one. A name that no emoji has is an error. */
async function wanted(all: readonly Emoji[], file: string | undefined): Promise<readonly Emoji[]> {
  if (file === undefined) return all;
  const names = new Set(Object.keys(JSON.parse(await readFile(file, "utf8")) as object));
  const found = all.filter(({ name }) => names.has(name));
  for (const { name } of found) names.delete(name);
  if (names.size > 0) throw new Error(`${file}: no emoji is called ${[...names].join(", ")}`);
  return found;
}
