/** What the Inception network of FID sees in pictures. */
import { buildInception } from "../models/inception/graph.js";
import { FEATURES, INPUT_SIDE } from "../models/inception/layout.js";
import { openInception } from "../models/inception/open.js";
import { lookupIn } from "../models/lookup.js";
import { Session, type SessionOptions } from "../runtime/session.js";
import { float32, values } from "../runtime/tensor.js";
import { resizeTo } from "./bicubic.js";
import { checkImage, COLOURS, type RgbImage } from "./image.js";

/** Levels of one picture as the network takes it. */
const INPUT_LENGTH = COLOURS * INPUT_SIDE * INPUT_SIDE;

/** The network on a device. Whoever makes one calls `dispose`. */
export class InceptionFeatures {
  private constructor(private readonly session: Session) {}

  /** Loads pytorch-fid's published file; errors as `openInception`. */
  static async load(path: string, options: SessionOptions): Promise<InceptionFeatures> {
    const { tensors, close } = await openInception(path);
    try {
      return new InceptionFeatures(await Session.create(await buildInception(lookupIn(tensors, path)), options));
    } finally {
      await close();
    }
  }

  /**
   * The features of each picture, [2048], as clean-fid's mode "clean" computes them; pictures may differ in size. All
   * pass the network as one batch.
   */
  async of(images: readonly RgbImage[]): Promise<Float32Array[]> {
    const batch = new Float32Array(images.length * INPUT_LENGTH);
    for (const [i, image] of images.entries()) {
      checkImage(image);
      resizeTo(image, INPUT_SIDE, batch.subarray(i * INPUT_LENGTH, (i + 1) * INPUT_LENGTH));
    }
    const pictures = float32(batch, [images.length, COLOURS, INPUT_SIDE, INPUT_SIDE]);
    const features = values((await this.session.run({ pictures })).features!);
    return images.map((_, i) => features.slice(i * FEATURES, (i + 1) * FEATURES));
  }

  /** Frees the network. */
  dispose(): Promise<void> {
    return this.session.dispose();
  }
}
