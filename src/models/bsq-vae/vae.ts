/**
 * The autoencoder at work: codes to images, images to bits. Decoder and encoder are loaded on first use, since most
 * runs need only the one and not before the last scale. Images pass one at a time: the widest maps of the decoder take
 * a GiB each at 1024².
 */
import { ModelError, OptionError } from "../../errors.js";
import type { GraphModel } from "../../graph/model.js";
import { Session, type SessionOptions, type Tensors } from "../../runtime/session.js";
import { float32, values } from "../../runtime/tensor.js";
import type { VaeConfig } from "./config.js";
import { itemOf, zeros, type FeatureMap, type MapSize } from "./feature-map.js";
import { buildDecoder, buildEncoder, type VaeLookup } from "./graph.js";
import { COLOURS, toLevels, toPlanes, type RgbImages } from "./image.js";
import { quantize, type Quantized } from "./quantize.js";
import { resizeArea } from "./resize.js";

/** The longer side of a preview, in pixels: 16 tokens of every published model. */
const PREVIEW_SIDE = 256;

/** A BSQ-VAE on a device. Whoever makes one calls `dispose`. */
export class Vae {
  private decoder: Promise<Session> | undefined;
  private encoder: Promise<Session> | undefined;

  /** `lookup` finds the checkpoint's tensors by their long names (`publishedVae`); nothing is read yet. */
  constructor(
    readonly config: VaeConfig,
    private readonly lookup: VaeLookup,
    private readonly options: SessionOptions,
  ) {}

  /** The images of summed codes [batch, d, H, W], H · stride by W · stride pixels. */
  async decode(codes: FeatureMap): Promise<RgbImages> {
    this.checkChannels(codes);
    this.decoder ??= this.load(buildDecoder(this.config, this.lookup));
    const session = await this.decoder;
    const { height, width } = this.pixels(codes);
    const length = height * width * COLOURS;
    const data = new Uint8Array(codes.batch * length);
    for (let item = 0; item < codes.batch; item++) {
      const image = await run(session, { codes: asTensor(itemOf(codes, item)) }, "image");
      toLevels(image, data.subarray(item * length, (item + 1) * length));
    }
    return { batch: codes.batch, height, width, data };
  }

  /** Small images of the codes so far: averaged down until the longer side is at most 256 pixels, then decoded. */
  preview(codes: FeatureMap): Promise<RgbImages> {
    const factor = Math.min(1, PREVIEW_SIDE / this.config.stride / Math.max(codes.height, codes.width));
    const fit = (positions: number): number => Math.max(1, Math.round(positions * factor));
    return this.decode(resizeArea(codes, { height: fit(codes.height), width: fit(codes.width) }));
  }

  /**
   * The bits of every scale that stand for the images, and the codes they add up to (for `decode`: the reconstruction).
   * `maps` are the scales in positions of the VAE; the images must be `stride` times the last one.
   */
  async encode(images: RgbImages, maps: readonly MapSize[]): Promise<Quantized> {
    this.checkSize(images, maps);
    return quantize(await this.features(images), maps);
  }

  /** What the encoder makes of the images, before any quantisation: [batch, d, height / stride, width / stride]. */
  async features(images: RgbImages): Promise<FeatureMap> {
    const { bits, stride } = this.config;
    this.encoder ??= this.load(buildEncoder(this.config, this.lookup));
    const session = await this.encoder;
    const features = zeros(images.batch, bits, { height: images.height / stride, width: images.width / stride });
    for (let item = 0; item < images.batch; item++) {
      const found = await run(session, { image: asTensor(toPlanes(images, item)) }, "features");
      itemOf(features, item).data.set(found);
    }
    return features;
  }

  /** Frees whatever was loaded. */
  async dispose(): Promise<void> {
    const loaded = await Promise.all([this.decoder, this.encoder]);
    this.decoder = this.encoder = undefined;
    await Promise.all(loaded.map((session) => session?.dispose()));
  }

  private async load(graph: Promise<GraphModel>): Promise<Session> {
    return Session.create(await graph, this.options);
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

function asTensor({ batch, channels, height, width, data }: FeatureMap): Tensors[string] {
  return float32(data, [batch, channels, height, width]);
}

/** One output of one run. */
async function run(session: Session, feeds: Tensors, output: string): Promise<Float32Array> {
  const tensor = (await session.run(feeds))[output];
  if (!tensor) throw new Error(`${session.name}: no output ${output}`);
  return values(tensor);
}
