import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CheckpointError } from "../errors.js";
import { parseObject } from "./json.js";

/** Levels of arrays and objects in a value. */
function levels(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(levels));
}

describe("nesting", () => {
  test("up to 64 levels is read, whatever the texts hold, and refused beyond", () => {
    const text = fc.stringMatching(/^[[\]{}"\\,a]*$/);
    const inner = fc.oneof(text, fc.dictionary(text, text), fc.jsonValue());
    const property = fc.property(inner, fc.integer({ min: 55, max: 66 }), fc.boolean(), (value, around, list) => {
      let nested: unknown = value;
      for (let i = 0; i < around; i++) nested = list ? [nested] : { "]": nested };
      const object = { v: nested };
      const parse = () => parseObject(JSON.stringify(object), "file");
      if (levels(object) > 64) expect(parse).toThrow(new CheckpointError("file is nested deeper than 64"));
      else expect(parse()).toEqual(JSON.parse(JSON.stringify(object)));
    });
    fc.assert(property, { numRuns: 500 });
  });

  test("brackets without end", () => {
    expect(() => parseObject(`{"a":${"[".repeat(100_000)}`, "file")).toThrow("file is nested deeper than 64");
  });
});
