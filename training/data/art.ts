/** Three drawings of each emoji, from packages under licences that allow it (`../LICENSES.md`). */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import sharp, { type Sharp } from "sharp";

/** One way to draw. */
export interface ArtSet {
  /** The captions' word for it. */
  readonly style: string;
  /** The package that the drawings come from. */
  readonly source: string;
  /**
   * The emoji whose code points one of these names (`1f34e`, `2764-fe0f`), at any size; undefined where the set has none.
   * An SVG is drawn at `size` pixels.
   */
  readonly draw: (codes: readonly string[], size: number) => Promise<Sharp | undefined>;
}

/** Icons as the Iconify packages hold them: SVG bodies by name, names by code points. */
interface IconFile {
  readonly width?: number;
  readonly height?: number;
  readonly icons: Readonly<
    Record<string, { readonly body: string; readonly width?: number; readonly height?: number }>
  >;
}

/** Iconify's own default side. */
const ICON_SIDE = 16;

/** Opens the sets whose packages are installed below `folder`, which holds a package.json. */
export function openArt(folder: string): readonly ArtSet[] {
  const require = createRequire(join(folder, "package.json"));
  return [
    imageSet(require, "@lobehub/fluent-emoji-3d", "3d"),
    iconSet(require, "@iconify-json/fluent-emoji-flat", "flat"),
    iconSet(require, "@iconify-json/noto", "cartoon"),
  ];
}

/** A package of SVG icons. */
function iconSet(require: NodeJS.Require, source: string, style: string): ArtSet {
  const file = require(`${source}/icons.json`) as IconFile;
  const names = require(`${source}/chars.json`) as Readonly<Record<string, string>>;
  return {
    style,
    source,
    draw: (codes, size) => {
      const name = codes.map((code) => names[code]).find((found) => found !== undefined);
      const icon = name === undefined ? undefined : file.icons[name];
      if (!icon) return Promise.resolve(undefined);
      const width = icon.width ?? file.width ?? ICON_SIDE;
      const height = icon.height ?? file.height ?? ICON_SIDE;
      return Promise.resolve(sharp(Buffer.from(svg(icon.body, { width, height, size }))));
    },
  };
}

function svg(body: string, { width, height, size }: { width: number; height: number; size: number }): string {
  const spaces = `xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"`;
  return `<svg ${spaces} width="${size}" height="${size}" viewBox="0 0 ${width} ${height}">${body}</svg>`;
}

/** A package with one WebP file an emoji. */
function imageSet(require: NodeJS.Require, source: string, style: string): ArtSet {
  const folder = join(dirname(require.resolve(`${source}/package.json`)), "assets");
  return {
    style,
    source,
    draw: async (codes) => {
      const path = codes.map((code) => join(folder, `${code}.webp`)).find((file) => existsSync(file));
      return path === undefined ? undefined : sharp(await readFile(path));
    },
  };
}
