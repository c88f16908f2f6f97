import { expect, it } from "vitest";
import type { VaeConfig } from "../models/bsq-vae/config.js";
import type { InfinityConfig } from "../models/infinity/config.js";
import { decoderWork } from "./parts-work.js";
import { conditioningWork, embeddingWork, headWork, layerWork } from "./transformer-work.js";
import { operationsOf } from "./work.js";

const [C, BITS, TEXT, DEPTH] = [8, 5, 6, 3];
const CONFIG = { width: C, bits: BITS, heads: 2, hidden: 16, depth: DEPTH, textChannels: TEXT } as InfinityConfig;

it("counts the weights of the embedding and of the head beside what goes through them", () => {
  expect(embeddingWork(CONFIG, 2, 3, 100).bytes).toBe(4 * (BITS * C + 100 + 6 * (BITS + C)));
  expect(headWork(CONFIG, 2, 3).bytes).toBe(4 * (C * 2 * BITS + 6 * (C + 2 * BITS)));
});

it("reads the conditioning's weights once for all texts, and counts what it gives", () => {
  const [one, other, both] = [[4], [7], [4, 7]].map((texts) => conditioningWork(CONFIG, "fp32", texts));
  expect(operationsOf(both!)).toBe(operationsOf(one!) + operationsOf(other!));
  const weights = C * TEXT + C * C + DEPTH * 2 * C * C + 2 * C * TEXT + 9 * C * C;
  expect(both!.bytes).toBe(one!.bytes + other!.bytes - 4 * weights);
  // Features of four tokens; a first token, modulations, keys and values.
  expect(one!.bytes).toBe(4 * (weights + 4 * TEXT + 9 * C + DEPTH * 2 * 4 * C));
});

it("reads the autoencoder's weights once for all images", () => {
  const config: VaeConfig = { bits: BITS, base: 4, multipliers: [1, 2], blocks: 1, stride: 2 };
  const bytes = (images: number): number => decoderWork(config, { height: 2, width: 3 }, images).bytes;
  expect(bytes(3) - bytes(2)).toBe(bytes(2) - bytes(1));
  expect(bytes(2)).toBeLessThan(2 * bytes(1));
});

it("counts what attention reads of the cache: int8's second bytes, and how many tokens each stands for", () => {
  const task = { rows: 2, tokens: 4, past: 30, fine: 21, text: 3, weights: "fp32", storage: "int8" } as const;
  const state = 4 * 4 * 2 * 4 * C;
  // Keys and values, a scale for each of two heads.
  expect(layerWork(CONFIG, { ...task, merging: false }).attention.bytes).toBe(
    state + 2 * (30 * (2 * C + 2 * 2 * 4) + 21 * 2 * C),
  );
  expect(layerWork(CONFIG, { ...task, storage: "fp32", merging: true }).attention.bytes).toBe(
    state + 2 * 30 * (2 * 4 * C + 2 * 4),
  );
});
