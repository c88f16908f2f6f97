/** Reads a checker's folder: `checker.json`, and the drawings that it lists (Node only). */
import { join } from "node:path";
import { z } from "zod";
import { OptionError } from "../../errors.js";
import { readRegularText } from "../../files/read-file.js";
import { noSuchPath, systemCode } from "../../files/system-error.js";
import { MAX_LEVEL } from "../../metrics/image.js";
import { KINDS, RELATIONS, RGBA, type Art, type Drawing, type Raster } from "./art.js";
import { parseJson } from "./json.js";

/** The folder beside a model's files. */
export const CHECKER_FOLDER = "checker";
const RULES = "checker.json";

/** Of the picture's side. */
const SHARE = z.number().min(0).max(1);
/** No way out of the folder. */
const FILE = z.string().regex(/^[\w-]+(?:\/[\w-]+)*\.(?:webp|png)$/, "not the name of a picture in this folder");
const SCHEMA = z.object({
  drawings: z.array(z.object({ name: z.string(), style: z.string(), file: FILE })).min(1),
  layouts: z
    .array(
      z.object({
        kind: z.enum(KINDS),
        relation: z.enum(RELATIONS).nullable(),
        size: SHARE.positive(),
        places: z.array(z.tuple([SHARE, SHARE])).min(1),
      }),
    )
    .min(1),
  colours: z.record(z.string(), z.tuple([SHARE, SHARE, SHARE])),
});

/**
 * What a folder says to check against; undefined where there is no such folder.
 *
 * @throws OptionError for a folder whose `checker.json` or drawings are missing or damaged
 */
export async function readArt(folder: string): Promise<Art | undefined> {
  const file = join(folder, RULES);
  const text = await readRegularText(file).catch((error: unknown) => {
    if (noSuchPath(error)) return undefined;
    throw new OptionError(`${file}: cannot be read (${systemCode(error)})`, { cause: error });
  });
  if (text === undefined) return undefined;
  const { drawings, layouts, colours } = parseJson(text, SCHEMA, file);
  const drawn = drawings.map(async ({ file: picture, ...drawing }): Promise<Drawing> => {
    return { ...drawing, sprite: await readSprite(join(folder, picture)) };
  });
  return { drawings: await Promise.all(drawn), layouts, colours: new Map(Object.entries(colours)) };
}

/** A square picture with alpha; its colours are multiplied by it, so that resampling keeps edges clean. */
async function readSprite(file: string): Promise<Raster> {
  const { default: sharp } = await import("sharp");
  const decoded = await sharp(file)
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => {
      throw new OptionError(`${file}: cannot be read as a picture`, { cause: error });
    });
  const { width: side, height, channels } = decoded.info;
  if (side !== height || channels !== RGBA) throw new OptionError(`${file}: ${side}x${height} is not square`);
  const data = new Float32Array(decoded.data).map((level) => level / MAX_LEVEL);
  for (let at = 0; at < data.length; at += RGBA) {
    for (let colour = 0; colour < 3; colour++) data[at + colour]! *= data[at + 3]!;
  }
  return { side, data };
}
