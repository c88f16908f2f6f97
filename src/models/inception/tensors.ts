/** Which tensors the FID network's published file has. */
import { ModelError } from "../../errors.js";
import { checkManifest, refuseForeign, type ForeignTensor, type Manifest, type Tensors } from "../manifest.js";
import { CLASSES, FEATURES, INCEPTION, type Step } from "./layout.js";

/** torchvision's own file looks alike and gives other distances. */
const FOREIGN: readonly ForeignTensor[] = [
  { name: /^AuxLogits\./, meaning: "torchvision's ImageNet network, which is not the one FID is defined by," },
];

/** Red, green, blue. */
const IMAGE_CHANNELS = 3;

/** Every tensor of the network, and the classifier that lies behind the features in the same file. */
export function inceptionTensors(): Manifest {
  const shapes = new Map<string, readonly number[]>();
  const channels = addSteps(shapes, INCEPTION, IMAGE_CHANNELS);
  if (channels !== FEATURES) throw new RangeError(`the network ends in ${channels} channels, not ${FEATURES}`);
  return shapes.set("fc.weight", [CLASSES, FEATURES]).set("fc.bias", [CLASSES]);
}

/** Adds the tensors of consecutive steps and returns the channels they end in. */
function addSteps(shapes: Map<string, readonly number[]>, steps: readonly Step[], channels: number): number {
  return steps.reduce((into, step) => addStep(shapes, step, into), channels);
}

function addStep(shapes: Map<string, readonly number[]>, step: Step, into: number): number {
  if (step.kind === "fork") {
    return step.branches.reduce((sum, branch) => sum + addSteps(shapes, branch, into), 0);
  }
  if (step.kind !== "convolution") return into;
  const { name, channels, kernel } = step;
  shapes.set(`${name}.conv.weight`, [channels, into, ...kernel]);
  for (const part of ["weight", "bias", "running_mean", "running_var"]) shapes.set(`${name}.bn.${part}`, [channels]);
  return channels;
}

/**
 * The network's tensors in a published file, checked. The counters that PyTorch keeps for training are passed over.
 *
 * @throws ModelError for any other network, torchvision's ImageNet one among them
 */
export function publishedInception(tensors: Tensors, file: string): Tensors {
  refuseForeign(tensors, FOREIGN, file);
  const found = new Map([...tensors].filter(([name]) => !name.endsWith(".num_batches_tracked")));
  if (found.size === 0) throw new ModelError(`${file}: holds no tensors, expected the Inception network of FID`);
  checkManifest(found, inceptionTensors(), file, "the Inception network of FID (pytorch-fid's file)");
  return found;
}
