import { expect, it } from "vitest";
import { attribute, float, type AttributeValue } from "./attributes.js";
import { AttributeProto_AttributeType as Kind } from "./gen/onnx_pb.js";

it.each<[string, AttributeValue, object]>([
  ["a bare number as an integer", -3, { type: Kind.INT, i: -3n }],
  ["a marked number as a float", float(0.5), { type: Kind.FLOAT, f: 0.5 }],
  ["a marked whole number as a float", float(2), { type: Kind.FLOAT, f: 2 }],
  ["a string as its bytes", "nearest", { type: Kind.STRING, s: new TextEncoder().encode("nearest") }],
  ["a list as integers", [0, 2, 1], { type: Kind.INTS, ints: [0n, 2n, 1n] }],
  ["an empty list as integers", [], { type: Kind.INTS, ints: [] }],
])("writes %s", (_, value, expected) => {
  const [written, ...more] = attribute("axis", value);
  expect(written).toMatchObject({ name: "axis", ...expected });
  expect(more).toEqual([]);
});

it("leaves an undefined attribute out", () => {
  expect(attribute("axis", undefined)).toEqual([]);
});

it("refuses a fraction that is not marked as a float", () => {
  expect(() => attribute("epsilon", 1e-6)).toThrow(RangeError);
});
