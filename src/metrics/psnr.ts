/** Peak signal-to-noise ratio: how far apart two images are, level by level. */
import { checkPair, COLOURS, MAX_LEVEL, type RgbImage } from "./image.js";

/**
 * PSNR of two images in dB, higher is closer, `Infinity` where they are equal:
 *
 *     10 · log10(range² / mean squared error), the mean over all pixels and colours
 *
 * This is one image's value of torchmetrics' `PeakSignalNoiseRatio(data_range=(0, 1), dim=(1, 2, 3))` on level / 255,
 * with which the ScaleKV paper's numbers were made. Its clamp to 0…1 cannot act on levels. The paper's number for two
 * folders is the mean of these decibels, not the PSNR of the mean error; that mean is the caller's, and so is what
 * becomes of an `Infinity` in it.
 *
 * Symmetric. Errors: `OptionError` for images of different sizes.
 */
export function psnr(a: RgbImage, b: RgbImage): number {
  checkPair(a, b);
  // Whole numbers throughout: exact up to 2^53, which is 46,000 megapixels of black against white.
  let squares = 0;
  for (let i = 0; i < a.data.length; i++) squares += (a.data[i]! - b.data[i]!) ** 2;
  return 10 * Math.log10((MAX_LEVEL ** 2 * a.width * a.height * COLOURS) / squares);
}
