/** `scalekv reconstruct`: an image through the autoencoder and back. */
import { Command, Option } from "commander";
import sharp from "sharp";
import { OptionError } from "../errors.js";
import type { RgbLevels } from "../generate/reconstruct.js";
import { PIXEL_CLASSES, type ImageSize, type PixelClass } from "../generate/types.js";
import { psnr } from "../metrics/psnr.js";
import { ssim } from "../metrics/ssim.js";
import { DEFAULT_MODEL } from "../models/catalogue.js";
import { deviceOption } from "./draw-flags.js";
import { checkWritable, encodingOf, writeImage } from "./image-file.js";

interface ReconstructFlags {
  readonly out: string;
  readonly model: string;
  readonly vae?: string;
  readonly pixels?: PixelClass;
  readonly device: "cpu" | "webgpu" | "cuda";
  readonly json?: true;
}

/** The command. */
export function reconstructCommand(): Command {
  return new Command("reconstruct")
    .description("Encode an image to the bits of every scale and decode them again.")
    .argument(
      "<image>",
      "a .png, .jpg or .webp file, at most 8 times as long as wide; cropped to the nearest published ratio",
    )
    .requiredOption("--out <file>", "where to: .png, .jpg or .webp")
    .option("--model <name|dir>", "a published model's name, or a folder with its files", DEFAULT_MODEL)
    .option("--vae <file>", "the autoencoder, if it is not beside the model")
    .addOption(new Option("--pixels <class>", "size class (default: the model's)").choices(PIXEL_CLASSES))
    .addOption(deviceOption())
    .option("--json", "print the measures as JSON")
    .action(reconstructFile);
}

async function reconstructFile(path: string, flags: ReconstructFlags): Promise<void> {
  const encoding = encodingOf(flags.out);
  await checkWritable(flags.out);
  const { width, height } = await sizeOf(path);
  const { reconstruct } = await import("../generate/reconstruct.js");
  const { original, image } = await reconstruct(flags.model, height / width, (size) => loadCropped(path, size), flags);
  await writeImage(flags.out, image, encoding);
  const measures = { psnr: psnr(original, image), ssim: ssim(original, image) };
  const text = `${flags.out}  ${image.width}x${image.height}, PSNR ${measures.psnr.toFixed(2)} dB, SSIM ${measures.ssim.toFixed(4)}`;
  process.stdout.write(`${flags.json ? JSON.stringify({ file: flags.out, ...measures }) : text}\n`);
}

async function sizeOf(path: string): Promise<ImageSize> {
  // Which way up a photograph is, its EXIF data say.
  const { autoOrient } = await readable(path, () => sharp(path).metadata());
  return autoOrient;
}

/** What sharp reads at most, unless it is told that a file is no stranger's. */
const MOST_PIXELS = 0x3fff ** 2;

/** The library's refusals as one line. */
async function readable<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const tooLarge = String(error).includes("pixel limit");
    const why = tooLarge ? `has more than ${MOST_PIXELS} pixels` : "cannot be read as an image";
    throw new OptionError(`${path}: ${why}`, { cause: error });
  }
}

/** The image's middle at a size, resampled by sharp. */
async function loadCropped(path: string, { width, height }: ImageSize): Promise<RgbLevels> {
  const cropped = sharp(path).autoOrient().resize(width, height, { fit: "cover" });
  const data = await readable(path, () => cropped.flatten().toColourspace("srgb").raw().toBuffer());
  return { width, height, data: new Uint8Array(data) };
}
