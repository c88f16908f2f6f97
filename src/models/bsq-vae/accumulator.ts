/**
 * The image as far as it is drawn. Every scale adds its codes to one sum at the size of the last scale; the sum,
 * resized to the next scale, is what the transformer sees next, and after the last scale it is what the VAE decodes.
 */
import { OptionError } from "../../errors.js";
import { bitsToCodes, featuresToTokens, mapSize, tokensToMap, type BitLayout } from "./codes.js";
import { zeros, type FeatureMap, type MapSize } from "./feature-map.js";
import { addLinear, resizeLinear } from "./resize.js";

/** The sum of a batch's codes over the scales, which come in order, each once. An {@link OptionError} if they do not. */
export class CodeAccumulator {
  /** The sum of all codes so far, [batch, d, H, W] at the last scale's map. It changes with every scale. */
  readonly summed: FeatureMap;
  private readonly maps: readonly MapSize[];
  private done = 0;

  /** `schedule`: the map of every scale, in tokens. */
  constructor(
    schedule: readonly MapSize[],
    private readonly layout: BitLayout,
  ) {
    const last = schedule.at(-1);
    if (!last) throw new OptionError("a schedule of 0 scales: at least 1 is needed");
    this.maps = schedule.map((size) => mapSize(size, layout.patchify));
    this.summed = zeros(layout.batch, layout.bits, mapSize(last, layout.patchify));
  }

  /** Adds the bits of scale `scale` (from 0) as they are sampled: [batch, h·w, bits of a token]. */
  add(scale: number, tokens: Uint8Array): void {
    this.addMap(scale, tokensToMap(tokens, this.layout, this.map(scale)));
  }

  /** Adds the bits of scale `scale` (from 0) in the layout of the VAE's map: [batch, H, W, d]. */
  addMap(scale: number, bits: Uint8Array): void {
    addLinear(bitsToCodes(bits, this.layout, this.map(scale)), this.summed);
    this.done++;
  }

  /** What scale `scale` starts from, as the transformer takes it: [batch, h·w, bits of a token]; zeros at the first. */
  features(scale: number): Float32Array {
    return featuresToTokens(resizeLinear(this.summed, this.map(scale)), this.layout.patchify);
  }

  /** The VAE's map of the scale whose turn it is. */
  private map(scale: number): MapSize {
    const map = this.maps[scale];
    if (!map) throw new OptionError(`scale ${scale}: the schedule has ${this.maps.length} scales, counted from 0`);
    if (scale !== this.done) throw new OptionError(`scale ${scale} is out of turn: scale ${this.done} comes next`);
    return map;
  }
}
