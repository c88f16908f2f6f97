/**
 * The autoencoder at work: codes to images, images to bits. Decoder and encoder are loaded on first use, since most
 * runs need only the one and not before the last scale. Images pass one at a time and in strips, which bounds the memory.
 */
import { ModelError, OptionError } from "../../errors.js";
import { disposeAll } from "../../runtime/dispose.js";
import type { Lookup } from "../lookup.js";
import { Chain, type ChainOptions } from "./chain.js";
import type { VaeConfig } from "./config.js";
import { itemOf, zeros, type FeatureMap, type MapSize } from "./feature-map.js";
import { COLOURS, toLevels, toPlanes, type RgbImages } from "./image.js";
import { quantize, type Quantized } from "./quantize.js";
import { resizeArea } from "./resize.js";
import { decoderSteps, encoderSteps } from "./steps.js";
import { setRows } from "./strips.js";

/** The longer side of a preview, in pixels: 16 tokens of every published model. */
const PREVIEW_SIDE = 256;

/** A BSQ-VAE on a device. Whoever makes one calls `dispose`. */
export class Vae {
  private readonly decoder: Chain;
  private readonly encoder: Chain;

  /** `lookup` finds the checkpoint's tensors by their long names (`publishedVae`); nothing is read yet. */
  constructor(
    readonly config: VaeConfig,
    lookup: Lookup,
    options: ChainOptions,
  ) {
    this.decoder = new Chain(decoderSteps(config), (name) => lookup(`decoder.${name}`), 1, options);
    this.encoder = new Chain(encoderSteps(config), (name) => lookup(`encoder.${name}`), config.stride, options);
  }

  /**
   * The images of summed codes [batch, d, H, W], H · stride by W · stride pixels. Codes of another number of bits are a
   * {@link ModelError}. `checkpoint` is asked before every strip and throws once the caller has given up.
   */
  async decode(codes: FeatureMap, checkpoint?: () => void): Promise<RgbImages> {
    this.checkChannels(codes);
    const { height, width } = this.pixels(codes);
    const data = new Uint8Array(codes.batch * height * width * COLOURS);
    let filled = 0;
    for (let item = 0; item < codes.batch; item++) {
      const take = (planes: Float32Array): void => {
        toLevels(planes, data.subarray(filled, filled + planes.length));
        filled += planes.length;
      };
      await this.decoder.run(itemOf(codes, item), take, checkpoint);
    }
    return { batch: codes.batch, height, width, data };
  }

  /** Small images of the codes so far: averaged down until the longer side is at most 256 pixels, then decoded. */
  preview(codes: FeatureMap, checkpoint?: () => void): Promise<RgbImages> {
    const factor = Math.min(1, PREVIEW_SIDE / this.config.stride / Math.max(codes.height, codes.width));
    const fit = (positions: number): number => Math.max(1, Math.round(positions * factor));
    return this.decode(resizeArea(codes, { height: fit(codes.height), width: fit(codes.width) }), checkpoint);
  }

  /**
   * The bits of every scale that stand for the images, and the codes they add up to (for `decode`: the reconstruction).
   * `maps` are the scales in positions of the VAE (`mapSize` of each); images that are not `stride` times the last one
   * are an {@link OptionError}.
   */
  async encode(images: RgbImages, maps: readonly MapSize[]): Promise<Quantized> {
    this.checkSize(images, maps);
    return quantize(await this.features(images), maps);
  }

  /**
   * What the encoder makes of the images, before any quantisation: [batch, d, height / stride, width / stride]. Sides
   * that are no multiples of `stride` are an {@link OptionError}.
   */
  async features(images: RgbImages): Promise<FeatureMap> {
    const { bits, stride } = this.config;
    if (images.height % stride !== 0 || images.width % stride !== 0) {
      throw new OptionError(`image ${images.width}x${images.height}: sides must be multiples of ${stride} pixels`);
    }
    const features = zeros(images.batch, bits, { height: images.height / stride, width: images.width / stride });
    for (let item = 0; item < images.batch; item++) {
      const found = itemOf(features, item);
      let top = 0;
      await this.encoder.run(toPlanes(images, item), (strip) => {
        setRows(found, top, strip);
        top += strip.length / (bits * found.width);
      });
    }
    return features;
  }

  /** Frees whatever was loaded. */
  async dispose(): Promise<void> {
    await disposeAll([this.decoder, this.encoder]);
  }

  private pixels({ height, width }: MapSize): MapSize {
    return { height: height * this.config.stride, width: width * this.config.stride };
  }

  private checkChannels({ channels }: FeatureMap): void {
    const { bits } = this.config;
    if (channels !== bits) throw new ModelError(`a VAE of ${bits} bits cannot decode codes of ${channels} bits`);
  }

  private checkSize({ height, width }: RgbImages, maps: readonly MapSize[]): void {
    const wanted = this.pixels(maps.at(-1) ?? { height: 0, width: 0 });
    if (height !== wanted.height || width !== wanted.width) {
      throw new OptionError(`image ${width}x${height}: this schedule takes ${wanted.width}x${wanted.height} pixels`);
    }
  }
}
