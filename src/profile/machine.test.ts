import { expect, it } from "vitest";
import { measureMachine } from "./machine.js";

it("tries the products of a layer and its MLP in every type that is asked for, and moves memory", async () => {
  const { products, ceilings } = await measureMachine({ threads: 1, widths: [32], weights: ["fp32", "q8"] });
  expect(products.map(({ k, n, weights }) => `${weights} ${k} ${n}`)).toEqual(
    "fp32 32 32|fp32 32 128|fp32 128 32|q8 32 32|q8 32 128|q8 128 32".split("|"),
  );
  const best = Math.max(...products.filter(({ weights }) => weights === "fp32").map(({ rate }) => rate));
  expect(ceilings.operations).toMatchObject({ fp32: best, q4: 0 });
  expect(Math.min(...products.map(({ rate }) => rate), ceilings.bytes)).toBeGreaterThan(0);
}, 60_000);

it("stops before the next product once it is told to", async () => {
  const controller = new AbortController();
  // More products of this width than anyone would wait for.
  const widths = new Array<number>(1000).fill(32);
  const measuring = measureMachine({ threads: 1, widths, weights: ["fp32"], signal: controller.signal });
  setTimeout(() => {
    controller.abort(new Error("enough"));
  }, 100);
  await expect(measuring).rejects.toThrow("enough");
}, 60_000);
