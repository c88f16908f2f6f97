/** One picture of many, each with its words below it. */
import { OptionError } from "../errors.js";
import { COLOURS, MAX_LEVEL, type RgbImage } from "../metrics/image.js";

/** A picture and its caption. */
export interface Captioned {
  readonly image: RgbImage;
  readonly caption: string;
}

/** Pixels of white around every picture. */
const GAP = 8;
/** No column is narrower: words need room. */
const NARROWEST = 96;
/** Letters of 11 pixels below a picture of 128, in proportion below larger ones. */
const LETTERS = 11 / 128;

/** A caption's levels and how much of the white each covers, [height, width, 4]. */
interface Words {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Pictures in rows, half as many again as columns, in the order given; captions wrap to the pictures' width. Letters
 * are those of the system's sans-serif font.
 *
 * @throws OptionError where the system has no font
 */
export async function captionedGrid(pictures: readonly Captioned[]): Promise<RgbImage> {
  const columns = Math.ceil(Math.sqrt(1.5 * pictures.length));
  const width = Math.max(NARROWEST, ...pictures.map(({ image }) => image.width));
  const height = Math.max(...pictures.map(({ image }) => image.height));
  const captions: Words[] = [];
  for (const { caption } of pictures) captions.push(await wordsOf(caption, width));
  const rowHeight = height + Math.max(...captions.map((words) => words.height)) + 2 * GAP;
  const sheet = blank(
    Math.min(columns, pictures.length) * (width + GAP) + GAP,
    Math.ceil(pictures.length / columns) * rowHeight + GAP,
  );
  for (const [i, { image }] of pictures.entries()) {
    const left = GAP + (i % columns) * (width + GAP);
    const top = GAP + Math.floor(i / columns) * rowHeight;
    paste(image, sheet, left + Math.floor((width - image.width) / 2), top);
    const words = captions[i]!;
    overlay(words, sheet, left + Math.floor((width - words.width) / 2), top + height + GAP / 2);
  }
  return sheet;
}

/** A text as a picture of at most `width` pixels, set by Pango. */
async function wordsOf(caption: string, width: number): Promise<Words> {
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
