import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emptyTensor, emptyTensors } from "../../test/support/manifests.js";
import { ModelError } from "../errors.js";
import { checkManifest, refuseForeign, requireShape } from "./manifest.js";

const MANIFEST = new Map([
  ["a", [2, 3]],
  ["b", [4]],
]);
const check = (tensors: Map<string, ReturnType<typeof emptyTensor>>): void => {
  checkManifest(tensors, MANIFEST, "file.pth", "the model");
};

describe("checkManifest", () => {
  it("accepts exactly the tensors it lists", () => {
    expect(() => {
      check(emptyTensors(MANIFEST));
    }).not.toThrow();
  });

  it.each([
    [emptyTensors([["a", [2, 3]]]), "file.pth: not the model: b [4] is missing"],
    [emptyTensors(MANIFEST, { a: [3, 2] }), "file.pth: not the model: a is [3, 2], expected [2, 3]"],
    [emptyTensors(MANIFEST, { a: [2, 3, 1] }), "file.pth: not the model: a is [2, 3, 1], expected [2, 3]"],
    [emptyTensors(MANIFEST, { c: [1] }), "file.pth: not the model: c [1] is unexpected"],
    [emptyTensors(MANIFEST, { "c\u001b[2J": [1] }), 'file.pth: not the model: "c\\u001b[2J" [1] is unexpected'],
    [
      emptyTensors(MANIFEST).set("b", { ...emptyTensor("b", [4]), dtype: "i64" }),
      "file.pth: not the model: b is i64, expected a floating-point type",
    ],
  ])("names the difference %#", (tensors, message) => {
    expect(() => {
      check(tensors);
    }).toThrow(new ModelError(message));
  });

  it("names three differences and counts the rest", () => {
    const tensors = emptyTensors([], { c: [1], d: [1], e: [1] });
    expect(() => {
      check(tensors);
    }).toThrow(/b \[4\] is missing; c \[1\] is unexpected; and 2 more$/);
  });

  it("refuses any one change of a shape", () => {
    const change = fc.tuple(fc.constantFrom("a", "b"), fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }));
    fc.assert(
      fc.property(change, ([name, shape]) => {
        fc.pre(shape.join() !== MANIFEST.get(name)?.join());
        expect(() => {
          check(emptyTensors(MANIFEST, { [name]: shape }));
        }).toThrow(ModelError);
      }),
    );
  });
});

describe("refuseForeign", () => {
  it("says what a tensor means", () => {
    const foreign = [{ name: /^x\./, meaning: "an x" }];
    expect(() => {
      refuseForeign(emptyTensors([["x.1", [1]]]), foreign, "file");
    }).toThrow(new ModelError("file: an x is not supported (tensor x.1)"));
    expect(() => {
      refuseForeign(emptyTensors([["x.\r", [1]]]), foreign, "file");
    }).toThrow(new ModelError('file: an x is not supported (tensor "x.\\r")'));
  });
});

describe("requireShape", () => {
  it.each([
    [[1, 2], "file: a is [1, 2], expected 1 axes, none of size 0"],
    [[0], "file: a is [0], expected 1 axes, none of size 0"],
  ])("refuses %j", (shape, message) => {
    expect(() => requireShape(emptyTensors([["a", shape]]), "a", 1, "file")).toThrow(new ModelError(message));
  });
});
