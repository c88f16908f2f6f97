/** Renders emojis and packs them into two files, the same bytes every time. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sharp } from "sharp";
import type { ArtSet } from "./art.js";
import type { Emoji } from "./emojis.js";

/** One line of sprites.jsonl: where in sprites.bin the WebP of a drawing lies, in bytes, and what it shows. */
export interface SpriteEntry {
  readonly offset: number;
  readonly length: number;
  readonly name: string;
  readonly group: string;
  readonly style: string;
  /** The package that the drawing comes from. */
  readonly source: string;
  readonly id: string;
}

/** The sprite set in memory. */
export interface SpriteSet {
  readonly entries: readonly SpriteEntry[];
  /** WebP images with alpha, one after another. */
  readonly bytes: Buffer;
}

/** What the sides and the quality of all sprites are. */
export interface SpriteOptions {
  /** Pixels of the square. */
  readonly size: number;
  /** WebP quality, 1 to 100. */
  readonly quality: number;
}

const CLEAR = { r: 0, g: 0, b: 0, alpha: 0 };

/** Renders every emoji that all sets can draw; with one style missing, the words would not tell the styles apart. */
export async function renderSprites(
  emojis: readonly Emoji[],
  sets: readonly ArtSet[],
  options: SpriteOptions,
): Promise<SpriteSet> {
  const entries: SpriteEntry[] = [];
  const images: Buffer[] = [];
  let offset = 0;
  for (const emoji of emojis) {
    const drawn = await Promise.all(sets.map((set) => set.draw(emoji.codes, options.size)));
    if (!drawn.every((image) => image !== undefined)) continue;
    for (const [index, image] of drawn.entries()) {
      const bytes = await encode(image, options);
      const { style, source } = sets[index]!;
      const { name, group, codes } = emoji;
      entries.push({ offset, length: bytes.length, name, group, style, source, id: codes[0]! });
      images.push(bytes);
      offset += bytes.length;
    }
  }
  return { entries, bytes: Buffer.concat(images) };
}

function encode(image: Sharp, { size, quality }: SpriteOptions): Promise<Buffer> {
  const square = image.resize(size, size, { fit: "contain", background: CLEAR }).ensureAlpha();
  return square.webp({ quality, alphaQuality: 90, effort: 5 }).toBuffer();
}

/** Writes sprites.bin and sprites.jsonl into a folder. */
export async function writeSprites(folder: string, { entries, bytes }: SpriteSet): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "sprites.bin"), bytes);
  await writeFile(join(folder, "sprites.jsonl"), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
}
