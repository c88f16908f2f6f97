import fc from "fast-check";
import { expect, test } from "vitest";
import { describeInspection } from "./inspect.js";

/** The listing of a checkpoint with one tensor. */
function listing(name: string, path = "a.pth"): string {
  const total = { tensors: 1, elements: 2, bytes: 8 };
  const tensors = [{ name, dtype: "f32", shape: [2], bytes: 8 } as const];
  return describeInspection({ path, format: "torch-zip", model: null, nestings: [], totals: { f32: total }, tensors });
}

test("control characters of a name are written out, and no line is added", () => {
  expect(listing("a\u001b[31mRED\nb\u009bc")).toContain('\n"a\\u001b[31mRED\\nb?c"  f32');
  const lines = listing("a").split("\n").length;
  const name = fc.string({
    unit: fc.constantFrom("a", ".", "\u0000", "\u001b", "\r", "\n", "\u0085", "\u009b", "\u2028"),
  });
  const property = fc.property(name, name, (tensor, path) => {
    const text = listing(tensor, path);
    expect(text.split("\n")).toHaveLength(lines);
    expect(text).not.toMatch(/[^\P{Cc}\n]|[\u2028\u2029]/u);
  });
  fc.assert(property);
});

test("other names stay as they are, up to 1024 characters", () => {
  for (const name of ["blocks.0.attn.weight", "Ünïcode 🎨", 'a"b', "x".repeat(1024)]) {
    expect(listing(name)).toMatch(new RegExp(`^${name} +f32 `, "m"));
  }
  expect(listing("x".repeat(1025))).toContain(`\n"${"x".repeat(80)}…"  f32`);
});
