/**
 * A transformer works with the autoencoder it was trained on and with no other: a wrong one gives noise, or an image
 * that is subtly off. Sizes tell most pairs apart; where two autoencoders have the same shapes, their names do.
 */
import { ModelError } from "../errors.js";
import type { VaeConfig } from "./bsq-vae/config.js";
import { PUBLISHED_VAES, publishedBySize } from "./catalogue.js";
import type { InfinityConfig } from "./infinity/config.js";
import { PIXELS_PER_TOKEN } from "./infinity/schedule.js";
import type { InfinitySizes } from "./infinity/tensors.js";

/** Where the two parts lie, for messages and for what a name tells. */
export interface PairFiles {
  readonly infinity: string;
  readonly vae: string;
}

/**
 * The whole configuration of a transformer, now that its autoencoder is known: a token has the autoencoder's bits, or
 * four times as many where it is a 2 × 2 patch. A pair that does not fit is a {@link ModelError} with the right file's
 * name.
 */
export function pairWithVae(sizes: InfinitySizes, vae: VaeConfig, files: PairFiles): InfinityConfig {
  const [model] = publishedBySize(sizes, files.infinity);
  const name = publishedVaeName(files.vae);
  if (model && name !== undefined && name !== model.vae) {
    throw new ModelError(`${files.vae}: a wrong VAE: ${model.title} works only with ${model.vae}`);
  }
  const hint = model ? `; ${model.title} works only with ${model.vae}` : "";
  if (sizes.bits !== vae.bits && sizes.bits !== 4 * vae.bits) {
    throw new ModelError(
      `${files.vae}: a wrong VAE: its ${vae.bits} bits do not make the ${sizes.bits} bits of a token of ${files.infinity}${hint}`,
    );
  }
  const patchify = sizes.bits === 4 * vae.bits;
  const stride = pixelsPerToken({ patchify }, vae);
  if (model && stride !== PIXELS_PER_TOKEN) {
    throw new ModelError(
      `${files.vae}: a wrong VAE: a token of ${files.infinity} would be ${stride} pixels wide, not ${PIXELS_PER_TOKEN}${hint}`,
    );
  }
  return { ...sizes, patchify };
}

/** Pixels of the image to one token, along one side. */
export function pixelsPerToken({ patchify }: Pick<InfinityConfig, "patchify">, { stride }: VaeConfig): number {
  return stride * (patchify ? 2 : 1);
}

/** The published autoencoder a file is named after, if any; scripts also spell `d32reg` as `d32_reg`. */
function publishedVaeName(path: string): string | undefined {
  const base = path.split(/[\\/]/).at(-1)?.replace("_reg", "reg");
  return PUBLISHED_VAES.find(({ file }) => file === base)?.file;
}
