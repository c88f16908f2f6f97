import { describe, expect, it } from "vitest";
import { scalekv } from "../cache/policies/scalekv.js";
import { full } from "../cache/policies/full.js";
import { scheduleFor } from "../models/infinity/schedule.js";
import { batchBytes, imagesWithin, threadsEach, type ImageLoad } from "./batch-size.js";

/** The published 2B model. */
const CONFIG = {
  ...{ depth: 32, width: 2048, heads: 16, hidden: 8192, textChannels: 2048, textLength: 512 },
  ...{ bits: 32, patchify: false, chunks: 1, levels: 13 },
};
const { maps } = scheduleFor("1M");
const RUN = { layers: CONFIG.depth, heads: CONFIG.heads, maps };
const LOAD: ImageLoad = {
  config: CONFIG,
  weights: 0,
  storage: "fp32",
  plan: full.plan(RUN),
  lastTokens: 4096,
  rows: 2,
  characters: 60,
  pixels: 2 ** 20,
};
const MIB = 2 ** 20;

describe("batchBytes", () => {
  it("counts of the 2B model at 1M the full cache, and what a layer and the text take beside it", () => {
    // 2 rows × 32 layers × 6,425 tokens × 2,048 channels × 8 bytes.
    const cache = 6425;
    const fresh = (2 * 4096 * 2048 * 8) / MIB;
    // A text of one block: 2 rows × 64 tokens × 32 layers × keys and values of 2,048 channels × 4 bytes.
    const text = (2 * 64 * 32 * 2 * 2048 * 4) / MIB;
    const bytes = batchBytes(LOAD, 1) / MIB;
    expect(bytes).toBeGreaterThan(cache + fresh + text);
    // A layer's work at the last scale is 1.3 GiB by its own formula; there is nothing else of that size.
    expect(bytes).toBeLessThan(cache + fresh + text + 1500);
  });

  it("grows with the batch, the text and the type, and shrinks with a policy", () => {
    const plan = scalekv({ capacities: maps.map(() => new Array<number>(32).fill(650)), baseCapacity: 650 }).plan(RUN);
    const one = batchBytes(LOAD, 1);
    expect(batchBytes(LOAD, 2)).toBeGreaterThan(1.8 * one);
    expect(batchBytes({ ...LOAD, characters: 600 }, 1)).toBeGreaterThan(one);
    expect(batchBytes({ ...LOAD, storage: "int8" }, 1)).toBeLessThan(0.5 * one);
    expect(batchBytes({ ...LOAD, plan }, 1)).toBeLessThan(0.4 * one);
    expect(batchBytes({ ...LOAD, rows: 1 }, 2)).toBeCloseTo(one + 12 * 2 ** 20, 0);
  });
});

describe("imagesWithin", () => {
  it("is the largest batch that fits, and at least one image", () => {
    for (const images of [1, 2, 5]) {
      expect(imagesWithin(LOAD, batchBytes(LOAD, images))).toBe(images);
      expect(imagesWithin(LOAD, batchBytes(LOAD, images + 1) - 1)).toBe(images);
    }
    expect(imagesWithin(LOAD, -1)).toBe(1);
    expect(imagesWithin(LOAD, Infinity)).toBe(16);
  });
});

it("gives each of many processes at least one thread", () => {
  expect(threadsEach(2 ** 20)).toBe(1);
  expect(threadsEach(1)).toBeGreaterThanOrEqual(1);
});
