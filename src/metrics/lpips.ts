/** Learned perceptual similarity: how far apart two pictures are to a network that learnt to see. */
import { closeCheckpoint } from "../checkpoint/checkpoint.js";
import { openCheckpoint } from "../checkpoint/open.js";
import { OptionError } from "../errors.js";
import { buildLpips } from "../models/lpips/graph.js";
import { LEAST_SIDE, publishedAlexNet, publishedLinear } from "../models/lpips/tensors.js";
import { lookupIn } from "../models/lookup.js";
import { Session, type SessionOptions } from "../runtime/session.js";
import { uint8, values, type Tensor } from "../runtime/tensor.js";
import { checkPair, COLOURS, sizeOf, type RgbImage } from "./image.js";

/** Paths of the two published files. */
export interface LpipsFiles {
  /** torchvision's `alexnet-owt-7be5be79.pth`. */
  readonly alexNet: string;
  /** The LPIPS authors' `alex.pth`, version 0.1. */
  readonly linear: string;
}

/** LPIPS on a device, with AlexNet's features. Whoever makes one calls `dispose`. */
export class Lpips {
  private constructor(private readonly session: Session) {}

  /** Errors: `CheckpointError` for a file that cannot be read, `ModelError` for one that is not what it should be. */
  static async load({ alexNet, linear }: LpipsFiles, options: SessionOptions): Promise<Lpips> {
    const opened = [await openCheckpoint(alexNet)];
    try {
      opened.push(await openCheckpoint(linear));
      const [features, weights] = [
        publishedAlexNet(opened[0]!.tensors, alexNet),
        publishedLinear(opened[1]!.tensors, linear),
      ];
      const graph = await buildLpips(lookupIn(features, alexNet), lookupIn(weights, linear));
      return new Lpips(await Session.create(graph, options));
    } finally {
      await Promise.all(opened.map(closeCheckpoint));
    }
  }

  /**
   * The distance of two pictures, 0 for equal ones: one pair's value of torchmetrics'
   * `LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)` on level / 255, at their full size.
   *
   * Errors: `OptionError` for pictures of different sizes or with a side shorter than 31 pixels.
   */
  async distance(a: RgbImage, b: RgbImage): Promise<number> {
    checkPair(a, b);
    if (Math.min(a.width, a.height) < LEAST_SIDE) {
      throw new OptionError(`LPIPS of images of ${sizeOf(a)}: each side must have at least ${LEAST_SIDE} pixels`);
    }
    const { distance } = await this.session.run({ a: levels(a), b: levels(b) });
    return values(distance!)[0]!;
  }

  /** Frees the network. */
  dispose(): Promise<void> {
    return this.session.dispose();
  }
}

function levels({ width, height, data }: RgbImage): Tensor {
  return uint8(data, [1, height, width, COLOURS]);
}
