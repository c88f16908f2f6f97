/** The transformer on a browser's devices against the published PyTorch code; weights and case come over HTTP. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { openPage, type OpenPage } from "../support/browser.js";
import { golden, readCase } from "../support/golden.js";
import type {} from "./parity-page.js";

let open: OpenPage;

beforeAll(async () => {
  open = await openPage("test/browser/parity-page.ts");
});
afterAll(() => open.close());

/** Up to 144 tokens: more than the 32 from which WebGPU's attention has a kernel of its own. Software takes a minute for the rest. */
const SCALES = 6;

it.each([
  { device: "wasm", headwise: false, cache: "" },
  { device: "webgpu", headwise: false, cache: "" },
  { device: "webgpu", headwise: true, cache: " with a cache for each head" },
] as const)("$device gives the reference's logits$cache", async ({ device, headwise }) => {
  const { expected } = await readCase("full-006m");
  const found = await open.page.evaluate((on) => window.logits(...on), [device, SCALES, headwise] as const);
  expect(found).toHaveLength(SCALES);
  for (const [scale, logits] of found.entries()) {
    const { values } = golden(expected, `logits.${scale}`);
    expect(logits).toHaveLength(values.length);
    const difference = Math.max(...logits.map((value, i) => Math.abs(value - values[i]!)));
    const largest = Math.max(...values.map(Math.abs));
    // float32 sums in another order: measured 2e-6 of the largest logit. A wrong kernel is off by 1e-2 and more.
    expect(difference / largest, `scale ${scale}`).toBeLessThan(2e-4);
  }
});
