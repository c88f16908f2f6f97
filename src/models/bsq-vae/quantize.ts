/**
 * Multi-scale binary quantisation: features to the bits of every scale. Each scale codes what the scales before it have
 * left over, `features − sum`, averaged down to its size; the sum is the very one generation builds.
 *
 * The published code has this twice. `MultiScaleBSQ.forward` subtracts every scale's codes from a running residual;
 * `BitwiseSelfCorrection.flip_requant`, which training uses, subtracts the sum from the features each time. The bits
 * are the same but for rounding. This is the second: its sum is what the transformer was trained on.
 */
import { OptionError } from "../../errors.js";
import { CodeAccumulator } from "./accumulator.js";
import { featuresToBits } from "./codes.js";
import { sameSize, type FeatureMap, type MapSize } from "./feature-map.js";
import { resizeArea } from "./resize.js";

/** The bits of every scale, each [batch, H, W, d], and the codes they add up to. */
export interface Quantized {
  readonly bits: readonly Uint8Array[];
  /** [batch, d, H, W], what the decoder takes. */
  readonly codes: FeatureMap;
}

/** Quantises features [batch, d, H, W]; `maps` are the scales in positions of the VAE, the last of the features' size. */
export function quantize(features: FeatureMap, maps: readonly MapSize[]): Quantized {
  const { batch, channels } = features;
  const last = maps.at(-1);
  if (!last || !sameSize(last, features)) {
    const wanted = last ? `${last.width}x${last.height}` : "missing";
    throw new OptionError(`features of ${features.width}x${features.height}: the schedule's last map is ${wanted}`);
  }
  const sum = new CodeAccumulator(maps, { batch, bits: channels, patchify: false });
  const bits = maps.map((map, scale) => {
    const residual = { ...features, data: features.data.map((value, i) => value - sum.summed.data[i]!) };
    const found = featuresToBits(resizeArea(residual, map));
    sum.addMap(scale, found);
    return found;
  });
  return { bits, codes: sum.summed };
}
