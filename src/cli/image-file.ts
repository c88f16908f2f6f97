/** Files that commands write: which format an image's name asks for, where a batch goes, and no half file left behind. */
import { access, constants, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { OptionError } from "../errors.js";
import { makeFolders } from "../files/make-folders.js";
import { noSuchFile, systemCode } from "../files/system-error.js";
import { writeInOneStep } from "../files/write-file.js";
import type { ImageSize } from "../generate/types.js";
import type { RgbImage } from "../metrics/image.js";

/** Formats an image can be written in. */
export type ImageFormat = "png" | "jpeg" | "webp";

/** A format, and for the lossy ones how much of the image survives, 1 to 100. */
export interface Encoding {
  readonly format: ImageFormat;
  readonly quality: number;
}

const FORMATS: Readonly<Record<string, ImageFormat>> = {
  ".png": "png",
  ".jpg": "jpeg",
  ".jpeg": "jpeg",
  ".webp": "webp",
};

/** Pixels along a side that a format has room for, where others are no matter of practice. */
const LONGEST_SIDE: Readonly<Partial<Record<ImageFormat, number>>> = { jpeg: 65_500, webp: 16_383 };

/** High enough that the eye finds no fault. */
const DEFAULT_QUALITY = 95;

/** The encoding that a file's ending asks for; another ending, or a quality for PNG, is an {@link OptionError}. */
export function encodingOf(file: string, quality?: number): Encoding {
  const format = FORMATS[extname(file).toLowerCase()];
  if (!format) throw new OptionError(`--out ${file}: the ending is not one of ${Object.keys(FORMATS).join(", ")}`);
  if (format === "png" && quality !== undefined) {
    throw new OptionError(`--quality ${quality}: ${file} is a PNG, which is lossless`);
  }
  return { format, quality: quality ?? DEFAULT_QUALITY };
}

/** Refuses an image that its format has no room for, before it is drawn. */
export function checkSize(file: string, { width, height }: ImageSize, { format }: Encoding): void {
  const most = LONGEST_SIDE[format] ?? Infinity;
  if (Math.max(width, height) <= most) return;
  throw new OptionError(`--out ${file}: ${width}x${height} pixels, ${extname(file)} holds at most ${most} a side`);
}

/** One file a prompt: `{i}` in the name is the prompt's number from 0; without it several are `fox-0.png`, `fox-1.png`, … */
export function numberedFiles(out: string, count: number): string[] {
  const pattern = out.includes("{i}") || count === 1 ? out : variantFile(out, "{i}");
  return Array.from({ length: count }, (_, i) => pattern.replaceAll("{i}", String(i)));
}

/** A file that belongs to an image's: `fox-full.png` beside `fox.png`. */
export function variantFile(imageFile: string, variant: string): string {
  const ending = extname(imageFile);
  return `${imageFile.slice(0, imageFile.length - ending.length)}-${variant}${ending}`;
}

/** A preview's file: the image's name with the scale's number, from 1 with a leading zero so that names sort. */
export function previewFile(folder: string, imageFile: string, scale: number): string {
  const stem = basename(imageFile, extname(imageFile));
  return join(folder, `${stem}-scale-${String(scale + 1).padStart(2, "0")}.png`);
}

/** Refuses a file that could not be written, before any work is done for it. */
export async function checkWritable(file: string): Promise<void> {
  const folder = dirname(file);
  try {
    await access(`${folder}/.`, constants.W_OK);
  } catch (error) {
    throw cannotWrite(file, error);
  }
  const existing = await stat(file).catch((error: unknown) => {
    if (!noSuchFile(error)) throw cannotWrite(file, error);
  });
  if (existing?.isDirectory()) throw new OptionError(`${file}: cannot be written: it is a folder`);
}

/** Makes a folder, if need be with those above it. */
export async function makeFolder(flag: string, folder: string): Promise<void> {
  try {
    await makeFolders(folder);
    await access(folder, constants.W_OK);
  } catch (error) {
    throw new OptionError(`${flag} ${folder}: is no folder that can be written to (${systemCode(error)})`, {
      cause: error,
    });
  }
}

/** Encodes an image and puts it under its name in one step: a reader sees the old file or the whole new one. */
export async function writeImage(file: string, image: RgbImage, encoding: Encoding): Promise<void> {
  try {
    await writeInOneStep(file, await encode(image, encoding));
  } catch (error) {
    throw cannotWrite(file, error);
  }
}

/** Puts a page, a table or a drawing under its name in one step. @throws OptionError where it cannot be written */
export async function writeReport(file: string, text: string): Promise<void> {
  try {
    await writeInOneStep(file, text);
  } catch (error) {
    throw cannotWrite(file, error);
  }
}

/** Loaded on first use: the library takes longer to start than `--help` to print. */
async function encode({ width, height, data }: RgbImage, { format, quality }: Encoding): Promise<Buffer> {
  const { default: sharp } = await import("sharp");
  // The library's limit guards against files of strangers; these levels are our own.
  const image = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  return image.toFormat(format, format === "png" ? {} : { quality }).toBuffer();
}

/** What the system's code means where it is one that users meet; the code itself otherwise. */
function cannotWrite(file: string, error: unknown): OptionError {
  const folder = dirname(file);
  const code = systemCode(error);
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: `there is no folder ${folder}`,
    ENOTDIR: `${folder} is not a folder`,
    EACCES: `${folder} is not yours to write to`,
    ENAMETOOLONG: "the name is too long",
    EISDIR: "it is a folder",
    ENOSPC: "the disk is full",
    EFBIG: "it is larger than files may be here",
  };
  return new OptionError(`${file}: cannot be written: ${reasons[code] ?? code}`, { cause: error });
}
