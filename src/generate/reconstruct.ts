/**
 * An image through the autoencoder and back: to the bits of every scale, which is what the transformer would have to
 * draw, and from those to an image again. It shows what a model's codes can hold, without its transformer running.
 */
import { mapSize } from "../models/bsq-vae/codes.js";
import { Vae } from "../models/bsq-vae/vae.js";
import type { ImageModelFiles } from "../models/assemble.js";
import { resolveModel } from "../models/folder.js";
import { imageSize, scheduleFor, type ImageSize, type PixelClass, type Schedule } from "../models/infinity/schedule.js";
import { lookupIn } from "../models/lookup.js";
import { pixelsPerToken } from "../models/pairing.js";
import { chooseDevice, type Device } from "../runtime/device.js";

/** An image's levels, [height, width, 3], red first. */
export interface RgbLevels extends ImageSize {
  readonly data: Uint8Array;
}

/** What is reconstructed, and on what. */
export interface ReconstructOptions {
  /** The autoencoder's file, where it is not the one found beside the model. */
  readonly vae?: string | undefined;
  readonly device?: Device | "auto" | undefined;
  /** Size class. Default: the one the model was trained for. */
  readonly pixels?: PixelClass | undefined;
}

/** An image and what became of it. */
export interface Reconstruction {
  readonly schedule: Schedule;
  /** The image as it was encoded, at the schedule's size. */
  readonly original: RgbLevels;
  readonly image: RgbLevels;
  /** Bits of every scale, [1, height, width, bits] on the autoencoder's map: forced, they draw this image. */
  readonly bits: readonly Uint8Array[];
}

/**
 * Encodes and decodes one image. `load` gives it at the size that the schedule nearest to `ratio` (height / width) asks for.
 *
 * Errors: those of `resolveModel`, and `DeviceError`.
 */
export async function reconstruct(
  model: string,
  ratio: number,
  load: (size: ImageSize) => Promise<RgbLevels>,
  options: ReconstructOptions = {},
): Promise<Reconstruction> {
  const files = await resolveModel(model, { vae: options.vae, textEncoder: false });
  try {
    return await reconstructWith(files, ratio, load, options);
  } finally {
    await files.close();
  }
}

async function reconstructWith(
  files: ImageModelFiles,
  ratio: number,
  load: (size: ImageSize) => Promise<RgbLevels>,
  options: ReconstructOptions,
): Promise<Reconstruction> {
  const { config, tensors, path } = files.vae;
  const vae = new Vae(config, lookupIn(tensors, path), { device: chooseDevice(options.device ?? "auto") });
  try {
    const schedule = scheduleFor(options.pixels ?? files.defaults.pixels, ratio);
    const original = await load(imageSize(schedule, pixelsPerToken(files.infinity.config, config)));
    const maps = schedule.maps.map((map) => mapSize(map, files.infinity.config.patchify));
    const { bits, codes } = await vae.encode({ ...original, batch: 1 }, maps);
    const { height, width, data } = await vae.decode(codes);
    return { schedule, original, image: { height, width, data }, bits };
  } finally {
    await vae.dispose();
  }
}
