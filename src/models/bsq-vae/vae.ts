/**
 * The autoencoder at work: codes to images, images to bits. Decoder and encoder are loaded on first use, since most
 * runs need only the one and not before the last scale. Images pass one at a time: at 1024² the decoder's widest maps
 * take a GiB each, and three of them are alive at once.
 */
import { ModelError, OptionError } from "../../errors.js";
import { Session, type SessionOptions, type Tensors } from "../../runtime/session.js";
import { float32, values } from "../../runtime/tensor.js";
import type { Lookup } from "../lookup.js";
import type { VaeConfig } from "./config.js";
import { itemOf, zeros, type FeatureMap, type MapSize } from "./feature-map.js";
import { buildDecoder, buildEncoder } from "./graph.js";
import { COLOURS, toLevels, toPlanes, type RgbImages } from "./image.js";
import { quantize, type Quantized } from "./quantize.js";
import { resizeArea } from "./resize.js";

/** The longer side of a preview, in pixels: 16 tokens of every published model. */
const PREVIEW_SIDE = 256;

/** A BSQ-VAE on a device. Whoever makes one calls `dispose`. */
export class Vae {
  private readonly decoder = new LazySession(() => this.load(buildDecoder));
  private readonly encoder = new LazySession(() => this.load(buildEncoder));

  /** `lookup` finds the checkpoint's tensors by their long names (`publishedVae`); nothing is read yet. */
  constructor(
    readonly config: VaeConfig,
    private readonly lookup: Lookup,
    private readonly options: SessionOptions,
  ) {}

  /**
   * The images of summed codes [batch, d, H, W], H · stride by W · stride pixels. Codes of another number of bits are a
   * {@link ModelError}.
   */
  async decode(codes: FeatureMap): Promise<RgbImages> {
    this.checkChannels(codes);
    const session = await this.decoder.get();
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
    const session = await this.encoder.get();
    const features = zeros(images.batch, bits, { height: images.height / stride, width: images.width / stride });
    for (let item = 0; item < images.batch; item++) {
      const found = await run(session, { image: asTensor(toPlanes(images, item)) }, "features");
      itemOf(features, item).data.set(found);
    }
    return features;
  }

  /** Frees whatever was loaded. */
  async dispose(): Promise<void> {
    await this.decoder.dispose();
    await this.encoder.dispose();
  }

  private async load(build: typeof buildDecoder): Promise<Session> {
    return Session.create(await build(this.config, this.lookup), this.options);
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

/** A session that is loaded when first asked for. A failed load is forgotten, so that asking again tries again. */
class LazySession {
  private loading: Promise<Session> | undefined;

  constructor(private readonly load: () => Promise<Session>) {}

  async get(): Promise<Session> {
    this.loading ??= this.load();
    try {
      return await this.loading;
    } catch (error) {
      this.loading = undefined;
      throw error;
    }
  }

  async dispose(): Promise<void> {
    const session = await this.loading;
    this.loading = undefined;
    await session?.dispose();
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
