/** From a page's script to an image: the public API in a browser, its engine in a worker, its model over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "../../src/generate/engine.js";
import { resolveModel } from "../../src/models/folder.js";
import { openPage, type OpenPage } from "../support/browser.js";
import type { Drawn } from "./draw-page.js";

const FOX = "a red fox in the snow";
const SEED = 7;
const PARTS = { vae: "models/tiny/vae.pth", textEncoder: "models/tiny/t5/" };

/** The same prompt and seed on the CPU under Node, [256, 256, 3]. */
let expected: Uint8Array;

beforeAll(async () => {
  const engine = await Engine.load("tiny", {}, resolveModel);
  expected = (await engine.draw([FOX], { seed: SEED })).image.data;
  await engine.dispose();
});

/** The mean difference between two images' levels, of 255. */
function meanDifference(data: readonly number[]): number {
  expect(data).toHaveLength(expected.length);
  return data.reduce((sum, level, i) => sum + Math.abs(level - expected[i]!), 0) / data.length;
}

describe("an isolated page", () => {
  let open: OpenPage;
  let drawn: Drawn;
  let loaded: Awaited<ReturnType<Window["load"]>>;

  beforeAll(async () => {
    open = await openPage("test/browser/draw-page.ts");
    loaded = await open.page.evaluate(() => window.load({ threads: 2 }));
    drawn = await open.page.evaluate(([prompt, seed]) => window.draw(prompt, { seed }, false), [FOX, SEED] as const);
  });
  afterAll(() => open.close());

  it("tells what it loads, to the last piece", () => {
    const last = { "text encoder": 0, transformer: 0 };
    loaded.forEach((event) => Object.assign(last, { [event.part]: event.done / event.total }));
    expect(last).toEqual({ "text encoder": 1, transformer: 1 });
  });

  it("draws the image that Node draws", () => {
    // The same graphs through other kernels: logits differ in the sixth digit, and a bit is another one only where its
    // probability lies that close to its random number. A bit of a late scale changes some hundred of the 196,608 levels.
    expect(meanDifference(drawn.data)).toBeLessThan(1);
    // An image of its own has levels all over the range.
    expect(new Set(drawn.data).size).toBeGreaterThan(100);
  });

  it("reports without what a browser does not tell", () => {
    const { device, model, process, stages } = drawn.report;
    expect({ device, process }).toEqual({ device: "wasm", process: undefined });
    expect(model).toMatch(/^http:\/\/localhost:\d+\/models\/tiny\/infinity\.pth$/);
    expect(stages.map(({ residentBytes }) => residentBytes)).toEqual(stages.map(() => undefined));
  });

  it("leaves the page free while the worker computes", () => {
    // Decoding is one call into WebAssembly: in the page's own thread no timer would go off during it.
    expect(drawn.ticks).toBeGreaterThan(2);
  });

  it("gives up when asked to", async () => {
    const { reason, scale } = await open.page.evaluate((prompt) => window.abort(prompt), FOX);
    expect(reason).toBe("enough");
    // The worker learns of it between two layers; it may have begun one more scale by then.
    expect(scale).toBeLessThan(5);
  });

  it.each([
    ["models/tiny/infinity.pth", {}, /^OptionError: http:.*infinity\.pth: option vae must give an address/],
    ["models/tiny/none.pth", PARTS, /^DownloadError: http:.*\/none\.pth: HTTP status 404 Not Found$/],
    ["models/tiny/config.json", PARTS, /^CheckpointError: http:.*config\.json: neither a torch nor a safetensors/],
    ["models/tiny/vae.pth", PARTS, /^ModelError: http:.*vae\.pth: expected Infinity transformer, found autoencoder/],
    ["models/tiny/infinity.pth", { ...PARTS, device: "cpu" }, /^DeviceError: device cpu: not available here/],
    ["http://", PARTS, /^OptionError: http:\/\/: not an address$/],
  ] as const)("refuses %s with %o", async (model, options, message) => {
    const found = await open.page.evaluate(([m, o]) => window.failure(m, o), [model, options] as const);
    expect(found).toMatch(message);
  });
});

describe("a page that is not isolated", () => {
  let open: OpenPage;
  let drawn: Drawn;
  const fetched: string[] = [];

  beforeAll(async () => {
    open = await openPage("test/browser/draw-page.ts", { isolated: false });
    open.page.on("request", (request) => fetched.push(new URL(request.url()).pathname));
    await open.page.evaluate(() => window.load({ wasmPaths: "runtime/" }));
    drawn = await open.page.evaluate(([prompt, seed]) => window.draw(prompt, { seed }, true), [FOX, SEED] as const);
  });
  afterAll(() => open.close());

  it("draws the same image on one thread", () => {
    expect(meanDifference(drawn.data)).toBeLessThan(1);
  });

  it("shows a preview of every scale but the last", () => {
    expect(drawn.previews).toEqual([0, 1, 2, 3, 4, 5].map((scale) => `${scale}: 256x256`));
  });

  it("takes the runtime from where it is told", () => {
    expect(fetched.filter((path) => path.endsWith(".wasm"))).toEqual(["/runtime/ort-wasm-simd-threaded.asyncify.wasm"]);
  });

  it("says so where the worker's script cannot be had", async () => {
    await open.page.route("**/worker-browser.js", (route) => route.abort());
    const found = await open.page.evaluate(() => window.failure("models/tiny/infinity.pth", {}));
    expect(found).toBe("Error: the engine's worker failed: its script cannot be loaded");
  });
});
