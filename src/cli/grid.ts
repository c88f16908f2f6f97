/** One picture of many, each with its words below it. */
import { OptionError } from "../errors.js";
import type { ImageSize } from "../generate/types.js";
import { COLOURS, MAX_LEVEL, type RgbImage } from "../metrics/image.js";

/** Pixels of white around every picture. */
const GAP = 8;
/** No column is narrower: words need room. */
const NARROWEST = 96;
/** Letters of 11 pixels below a picture of 128, in proportion below larger ones. */
const LETTERS = 11 / 128;
/** A text that shows nothing: Pango refuses to set one. */
const BLANK = /^[\s\p{C}\p{Default_Ignorable_Code_Point}]*$/u;

/** A caption's levels and how much of the white each covers, [height, width, 4]. */
interface Words {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A sheet whose words are set and whose pictures are still to come. */
export interface GridPlan {
  /** Of the whole sheet, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Room for a picture. */
  readonly picture: ImageSize;
  readonly columns: number;
  readonly rowHeight: number;
  /** One for each picture. */
  readonly captions: readonly Words[];
}

/**
 * Sets the captions of pictures of one size. They lie in rows, half as many again as columns; captions wrap to the
 * pictures' width. Letters are those of the system's sans-serif font.
 *
 * @throws OptionError where the system has no font
 */
export async function planGrid(captions: readonly string[], size: ImageSize): Promise<GridPlan> {
  const picture = { width: Math.max(NARROWEST, size.width), height: size.height };
  const columns = Math.min(captions.length, Math.ceil(Math.sqrt(1.5 * captions.length)));
  const words: Words[] = [];
  for (const caption of captions) words.push(await wordsOf(caption, picture.width));
  const rowHeight = picture.height + Math.max(...words.map(({ height }) => height)) + 2 * GAP;
  return {
    width: columns * (picture.width + GAP) + GAP,
    height: Math.ceil(captions.length / columns) * rowHeight + GAP,
    ...{ picture, columns, rowHeight, captions: words },
  };
}

/** Fills a sheet with its pictures, in the order of the captions; none is larger than planned. */
export function fillGrid(plan: GridPlan, images: readonly RgbImage[]): RgbImage {
  const { columns, rowHeight, picture, captions } = plan;
  const sheet = blank(plan.width, plan.height);
  for (const [i, image] of images.entries()) {
    const left = GAP + (i % columns) * (picture.width + GAP);
    const top = GAP + Math.floor(i / columns) * rowHeight;
    paste(image, sheet, left + Math.floor((picture.width - image.width) / 2), top);
    const words = captions[i]!;
    overlay(words, sheet, left + Math.floor((picture.width - words.width) / 2), top + picture.height + GAP / 2);
  }
  return sheet;
}

/** A text as a picture of at most `width` pixels, set by Pango; without a size where there is nothing to be seen. */
async function wordsOf(caption: string, width: number): Promise<Words> {
  if (BLANK.test(caption)) return { width: 0, height: 0, data: new Uint8Array() };
  const { default: sharp } = await import("sharp");
  const font = `sans-serif ${Math.round(Math.max(width, 128) * LETTERS)}`;
  const text = caption.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  // At 72 dots an inch, Pango's points are pixels.
  const options = { text, font, width, dpi: 72, rgba: true, align: "center", wrap: "word-char" } as const;
  const { data, info } = await sharp({ text: options }).raw().toBuffer({ resolveWithObject: true });
  if (!data.some((level) => level > 0)) throw new OptionError("--grid: this system has no font for its captions");
  return { width: info.width, height: info.height, data };
}

function blank(width: number, height: number): RgbImage {
  return { width, height, data: new Uint8Array(width * height * COLOURS).fill(MAX_LEVEL) };
}

/** Copies a picture into the sheet, its upper left corner at (left, top). */
function paste(image: RgbImage, sheet: RgbImage, left: number, top: number): void {
  const length = image.width * COLOURS;
  for (let row = 0; row < image.height; row++) {
    const line = image.data.subarray(row * length, (row + 1) * length);
    sheet.data.set(line, ((top + row) * sheet.width + left) * COLOURS);
  }
}

/** Lays black words over the white sheet: the alpha is all that counts. */
function overlay(words: Words, sheet: RgbImage, left: number, top: number): void {
  for (let row = 0; row < words.height; row++) {
    for (let column = 0; column < words.width; column++) {
      const level = MAX_LEVEL - words.data[(row * words.width + column) * 4 + 3]!;
      const at = ((top + row) * sheet.width + left + column) * COLOURS;
      sheet.data.fill(level, at, at + COLOURS);
    }
  }
}
