/** Adapters that bind 128 MiB at most, as a phone's may: what lies behind that in a larger value would silently be zeros. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { openPage, type OpenPage } from "../support/browser.js";
import type {} from "./limits-page.js";

let open: OpenPage;

beforeAll(async () => {
  open = await openPage("test/browser/limits-page.ts");
});
afterAll(() => open.close());

it("runs a block whose scores are larger than the adapter binds", async () => {
  expect(await open.page.evaluate(() => window.limitAdapters())).toEqual([2 ** 27, 2 ** 28]);
  // 2 rows and 2 heads of 3,000 × 3,000 scores: 137 MiB.
  const [host, device] = await open.page.evaluate((tokens) => window.runBlock(tokens), 3000);
  expect(device).toHaveLength(host.length);
  // Float32 rounding passes through sums of 3,000 weights and of 24 products of numbers about 1.
  host.forEach((value, i) => expect(Math.abs(value - device[i]!)).toBeLessThan(1e-4));
});
