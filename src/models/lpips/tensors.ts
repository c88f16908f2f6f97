/**
 * Which tensors LPIPS has: the convolutions of torchvision's AlexNet, and one weight a channel behind each of them, from
 * the LPIPS authors' file (version 0.1).
 */
import { checkManifest, type Manifest, type Tensors } from "../manifest.js";

/** One convolution of AlexNet. */
export interface AlexNetLayer {
  /** Its place in torchvision's list `features`. */
  readonly place: number;
  readonly channels: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  /** Whether the map is halved before it: the maximum of 3 × 3 at every second place. */
  readonly pooled: boolean;
}

/** The convolutions, each followed by a ReLU, whose outputs LPIPS compares. */
export const ALEXNET: readonly AlexNetLayer[] = [
  { place: 0, channels: 64, kernel: 11, stride: 4, padding: 2, pooled: false },
  { place: 3, channels: 192, kernel: 5, stride: 1, padding: 2, pooled: true },
  { place: 6, channels: 384, kernel: 3, stride: 1, padding: 1, pooled: true },
  { place: 8, channels: 256, kernel: 3, stride: 1, padding: 1, pooled: false },
  { place: 10, channels: 256, kernel: 3, stride: 1, padding: 1, pooled: false },
];

/** The shortest side, in pixels, of which the second pooling leaves something. */
export const LEAST_SIDE = 31;

/** Name of the weights behind a layer, by its number from 0. */
export function linearName(layer: number): string {
  return `lin${layer}.model.1.weight`;
}

/** Weights [out, in, kernel, kernel] and biases of AlexNet's convolutions. */
export function alexNetTensors(): Manifest {
  let into = 3;
  const shapes = new Map<string, readonly number[]>();
  for (const { place, channels, kernel } of ALEXNET) {
    shapes.set(`features.${place}.weight`, [channels, into, kernel, kernel]);
    shapes.set(`features.${place}.bias`, [channels]);
    into = channels;
  }
  return shapes;
}

/** One weight a channel, [1, channels, 1, 1]. */
export function linearTensors(): Manifest {
  return new Map(ALEXNET.map(({ channels }, layer) => [linearName(layer), [1, channels, 1, 1]]));
}

/** AlexNet's convolutions in torchvision's file, checked; its classifier is passed over. Errors: `ModelError`. */
export function publishedAlexNet(tensors: Tensors, file: string): Tensors {
  const features = new Map([...tensors].filter(([name]) => !name.startsWith("classifier.")));
  checkManifest(features, alexNetTensors(), file, "torchvision's AlexNet");
  return features;
}

/** The weights of the LPIPS authors' `alex.pth`, checked. Errors: `ModelError`. */
export function publishedLinear(tensors: Tensors, file: string): Tensors {
  checkManifest(tensors, linearTensors(), file, "the weights of LPIPS for AlexNet");
  return tensors;
}
