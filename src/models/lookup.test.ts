import { expect, it } from "vitest";
import { emptyTensors } from "../../test/support/manifests.js";
import { ModelError } from "../errors.js";
import { lookupIn } from "./lookup.js";

it("finds a tensor by its name, and names the file where there is none", () => {
  const tensors = emptyTensors([["head.weight", [4, 2]]]);
  const lookup = lookupIn(tensors, "infinity.pth");
  expect(lookup("head.weight")).toBe(tensors.get("head.weight"));
  expect(() => lookup("head.bias")).toThrow(new ModelError("infinity.pth: tensor head.bias is missing"));
});
