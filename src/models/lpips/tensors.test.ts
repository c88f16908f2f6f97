import { expect, it } from "vitest";
import { storedTensor } from "../../../test/support/graph.js";
import { ModelError } from "../../errors.js";
import type { Manifest, Tensors } from "../manifest.js";
import { alexNetTensors, linearTensors, publishedAlexNet, publishedLinear } from "./tensors.js";

function tensorsOf(manifest: Manifest): Tensors {
  const empty = storedTensor("", { shape: [0], values: [] });
  return new Map([...manifest].map(([name, shape]) => [name, { ...empty, name, shape }]));
}

it("finds AlexNet's convolutions and passes its classifier over", () => {
  const manifest = alexNetTensors();
  expect(manifest.get("features.3.weight")).toEqual([192, 64, 5, 5]);
  const found = publishedAlexNet(tensorsOf(new Map([...manifest, ["classifier.1.bias", [4096]]])), "alexnet.pth");
  expect([...found.keys()]).toEqual([...manifest.keys()]);
});

it("refuses files that have changed places", () => {
  const [alexNet, linear] = [tensorsOf(alexNetTensors()), tensorsOf(linearTensors())];
  expect(() => publishedAlexNet(linear, "alex.pth")).toThrow(
    /^alex\.pth: not torchvision's AlexNet: features\.0\.weight/,
  );
  expect(() => publishedLinear(alexNet, "alexnet.pth")).toThrow(
    new ModelError(
      "alexnet.pth: not the weights of LPIPS for AlexNet: lin0.model.1.weight [1, 64, 1, 1] is missing; lin1.model.1.weight [1, 192, 1, 1] is missing; lin2.model.1.weight [1, 384, 1, 1] is missing; and 12 more",
    ),
  );
});
