/** Graphs, weights and sessions in a real browser, on both of its devices. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WeightType } from "../../src/graph/model.js";
import { openPage, type OpenPage } from "../support/browser.js";
import type {} from "./graph-page.js";

let open: OpenPage;

beforeAll(async () => {
  open = await openPage("test/browser/graph-page.ts");
});
afterAll(() => open.close());

/** The tanh form of GELU, in doubles. */
function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

/** Rows (1, 2) and (3, 4) through the weight [[0.5, −0.5], [1, 2]]. */
const EXPECTED = [gelu(-0.5) + 1, gelu(5) + 2, gelu(-0.5) + 3, gelu(11) + 4];

describe.each(["wasm", "webgpu"] as const)("a layer on %s", (device) => {
  it.each(["f32", "f16", "bf16"] as const)("runs with %s weights", async (dtype) => {
    const found = await open.page.evaluate(([d, t]) => window.runLayer(d, t), [device, dtype] as const);
    // float32 through one tanh: a few units in the last place of values up to 15.
    found.forEach((value, i) => expect(Math.abs(value - EXPECTED[i]!)).toBeLessThan(5e-6));
    expect(found).toHaveLength(4);
  });

  it.each([
    // Levels of a block go to 127 or to 7; errors of 300 terms average out.
    ["q8", 0.02],
    ["q4", 0.2],
  ] as const)("multiplies by a matrix in %s", async (type, tolerance) => multiplies(device, type, tolerance));
});

it.each(["wasm", "webgpu"] as const)("chooses of numbers without any above −∞ the first on %s", async (device) => {
  const numbers = [-Infinity, 2, -Infinity, 3, -Infinity, -Infinity];
  expect(await open.page.evaluate(([d, x]) => window.runTopK(d, x, 4), [device, numbers] as const)).toEqual([
    3, 1, 0, 2,
  ]);
});

it("multiplies integers on wasm", () =>
  // Levels of rows and of tokens go to 127.
  multiplies("wasm", "w8a8", 0.02));

/** Multiplies by a matrix that is held so, and expects an error within the tolerance, but some. */
async function multiplies(
  device: "wasm" | "webgpu",
  type: Exclude<WeightType, "fp32">,
  tolerance: number,
): Promise<void> {
  const wave = (rows: number, start: number): number[][] =>
    Array.from({ length: rows }, (_, row) =>
      Array.from({ length: 300 }, (__, i) => Math.sin(start + 31 * row + i * i)),
    );
  const [x, weight] = [wave(5, 1), wave(37, 2)];
  const exact = x.flatMap((row) => weight.map((column) => row.reduce((sum, value, i) => sum + value * column[i]!, 0)));
  const found = await open.page.evaluate(([d, t, a, b]) => window.runLevels(d, t, a, b), [
    device,
    type,
    x,
    weight,
  ] as const);
  expect(found).toHaveLength(exact.length);
  const error = Math.hypot(...found.map((value, i) => value - exact[i]!)) / Math.hypot(...exact);
  expect(error).toBeLessThan(tolerance);
  expect(error).toBeGreaterThan(0);
}

it("refuses float16 weights where the adapter does not compute in float16, as software adapters do not", async () => {
  expect(await open.page.evaluate(() => window.probeHalves())).toBe(
    "DeviceError: weights fp16: the WebGPU adapter has no float16 (shader-f16); fp32, q8 and q4 need none",
  );
});
