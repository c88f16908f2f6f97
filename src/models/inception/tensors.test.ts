import { describe, expect, it } from "vitest";
import { storedTensor } from "../../../test/support/graph.js";
import { elementCount, type StoredTensor } from "../../checkpoint/tensor.js";
import { ModelError } from "../../errors.js";
import { INCEPTION, type Step } from "./layout.js";
import { inceptionTensors, publishedInception } from "./tensors.js";

/** Tensors without bytes: only names and shapes are looked at. */
function tensorsOf(shapes: Iterable<readonly [string, readonly number[]]>): Map<string, StoredTensor> {
  const empty = storedTensor("", { shape: [0], values: [] });
  return new Map([...shapes].map(([name, shape]) => [name, { ...empty, name, shape, strides: shape.map(() => 0) }]));
}

function convolutions(steps: readonly Step[]): number {
  return steps.reduce((sum, step) => {
    if (step.kind === "fork") return sum + step.branches.reduce((inner, branch) => inner + convolutions(branch), 0);
    return sum + (step.kind === "convolution" ? 1 : 0);
  }, 0);
}

describe("the FID network's tensors", () => {
  it("are 94 convolutions with their batch norms, and the classifier", () => {
    expect(convolutions(INCEPTION)).toBe(94);
    const manifest = inceptionTensors();
    expect(manifest.size).toBe(94 * 5 + 2);
    // torchvision's inception_v3(num_classes=1008, aux_logits=False) has 23,850,960 parameters and 34,432 statistics.
    const elements = [...manifest.values()].reduce((sum, shape) => sum + elementCount(shape), 0);
    expect(elements).toBe(23_850_960 + 34_432);
    expect(manifest.get("Mixed_6b.branch7x7_2.conv.weight")).toEqual([128, 128, 1, 7]);
    expect(manifest.get("Mixed_7c.branch3x3dbl_3b.conv.weight")).toEqual([384, 384, 3, 1]);
  });

  it("are found in a published file, whose counters are passed over", () => {
    const counters = tensorsOf([["Conv2d_1a_3x3.bn.num_batches_tracked", []]]);
    const found = publishedInception(new Map([...tensorsOf(inceptionTensors()), ...counters]), "inception.pth");
    expect([...found.keys()]).toEqual([...inceptionTensors().keys()]);
  });

  it("are not those of torchvision's ImageNet network, nor of any other", () => {
    const imageNet = tensorsOf([...inceptionTensors(), ["AuxLogits.fc.bias", [1000]]]);
    expect(() => publishedInception(imageNet, "x.pth")).toThrow(
      new ModelError(
        "x.pth: torchvision's ImageNet network, which is not the one FID is defined by, is not supported (tensor AuxLogits.fc.bias)",
      ),
    );
    const thousand = tensorsOf(new Map([...inceptionTensors(), ["fc.bias", [1000]]]));
    expect(() => publishedInception(thousand, "x.pth")).toThrow(
      new ModelError(
        "x.pth: not the Inception network of FID (pytorch-fid's file): fc.bias is [1000], expected [1008]",
      ),
    );
  });
});
