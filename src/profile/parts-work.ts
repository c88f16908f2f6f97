/** What the text encoder and the autoencoder have to do, by formula; shapes as in `models/t5` and `models/bsq-vae`. */
import type { VaeConfig } from "../models/bsq-vae/config.js";
import { decoderSteps, type Step } from "../models/bsq-vae/steps.js";
import { t5LayerBytes, type T5Config } from "../models/t5/config.js";
import { FLOAT, product, together, type Work } from "./work.js";

/** All layers for one text. Every text passes by itself, but the layers' weights may be read for all of them at once. */
export function textEncoderWork(config: T5Config, texts: readonly number[]): Work {
  const { width, layers, heads, headDim, hidden } = config;
  const inner = heads * headDim;
  const operations = texts.reduce(
    (sum, tokens) =>
      sum + product(tokens, width, 4 * inner) + product(tokens, width, 3 * hidden) + 2 * product(tokens, inner, tokens),
    0,
  );
  const states = texts.reduce((sum, tokens) => sum + 2 * FLOAT * tokens * width, 0);
  return { operations: { fp32: layers * operations }, bytes: layers * (t5LayerBytes(config) + states) };
}

/** So many images, each from codes [d, height, width]. They are made one by one, but weights may be read for all at once. */
export function decoderWork(
  config: VaeConfig,
  { height, width }: { height: number; width: number },
  images: number,
): Work {
  let size = images * height * width;
  const steps = decoderSteps(config).map((step) => {
    const work = stepWork(step, size);
    if (step.size === "double") size *= 4;
    return work;
  });
  return together(steps);
}

/**
 * One convolution over maps of `size` positions in all. Where it doubles a map, its kernel meets every small position twice
 * along each side, so that 2 × 2 sums of its weights do (`models/bsq-vae/graph.ts`).
 */
function stepWork({ into, out, size: change, keep, adds }: Step, size: number): Work {
  const outSize = change === "double" ? 4 * size : size;
  const taps = change === "double" ? 4 : 9;
  const shortcut = typeof keep === "object" ? product(size, into, out) : 0;
  const values = size * into + outSize * out * (adds ? 2 : 1) + (shortcut > 0 ? size * out : 0);
  return {
    operations: { fp32: product(outSize, taps * into, out) + shortcut },
    bytes: FLOAT * (values + taps * into * out),
  };
}
