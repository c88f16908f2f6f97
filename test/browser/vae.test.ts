/** The autoencoder on a browser's devices, in strips, against the CPU under Node, whose map is one strip. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FeatureMap } from "../../src/models/bsq-vae/feature-map.js";
import type { RgbImages } from "../../src/models/bsq-vae/image.js";
import { openPage, type OpenPage } from "../support/browser.js";
import { openVae } from "../support/golden.js";
import type {} from "./vae-page.js";

const [HEIGHT, WIDTH] = [3, 2];

/** The 8B model's kind, whose stride is 8: 24 × 16 pixels. */
const MODEL = "patchify";
const STRIDE = 8;

/** Two rows of the widest map: the codes' three rows are two strips, of which one is doubled whole and one is cut. */
const STRIP_BYTES = 4096;

const codes: FeatureMap = {
  ...{ batch: 1, channels: 14, height: HEIGHT, width: WIDTH },
  data: Float32Array.from({ length: 14 * HEIGHT * WIDTH }, (_, i) => Math.sin(i) / 2),
};

let open: OpenPage;
let image: RgbImages;
let features: FeatureMap;

beforeAll(async () => {
  const { vae, close } = await openVae(MODEL);
  image = await vae.decode(codes);
  features = await vae.features(image);
  await close();
  open = await openPage("test/browser/vae-page.ts");
});
afterAll(() => open.close());

describe.each(["wasm", "webgpu"] as const)("%s", (device) => {
  it("decodes in strips", async () => {
    const given = { ...codes, data: [...codes.data] };
    const found = await open.page.evaluate((all) => window.decode(...all), [
      MODEL,
      device,
      STRIP_BYTES,
      given,
    ] as const);
    expect(found).toHaveLength(HEIGHT * WIDTH * STRIDE ** 2 * 3);
    // Levels are cut off, so a rounding in the seventh digit moves a few by one; a wrong row moves hundreds by far more.
    const apart = found.map((level, i) => Math.abs(level - image.data[i]!));
    expect(Math.max(...apart)).toBeLessThanOrEqual(1);
    expect(apart.filter((difference) => difference > 0).length / found.length).toBeLessThan(0.01);
  });

  it("encodes in strips", async () => {
    const given = { ...image, channels: 3, data: [...image.data] };
    const found = await open.page.evaluate((all) => window.features(...all), [
      MODEL,
      device,
      STRIP_BYTES,
      given,
    ] as const);
    expect(found).toHaveLength(features.data.length);
    // Sums of float32 in another order through some twenty layers; features are about 0.4.
    const worst = Math.max(...found.map((value, i) => Math.abs(value - features.data[i]!)));
    expect(worst).toBeLessThan(1e-4);
  });
});
