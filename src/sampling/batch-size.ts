/** How many images fit into memory side by side: known by formula, so that nobody must try. */
import { availableParallelism, freemem } from "node:os";
import { heldBytes } from "../cache/kv-cache.js";
import type { Plan } from "../cache/policy.js";
import { bytesPerToken, type StorageType } from "../cache/storage.js";
import { MOST_GARBAGE } from "../runtime/memory.js";
import type { InfinityConfig } from "../models/infinity/config.js";
import { layerWorkingBytes } from "../models/infinity/working-memory.js";

/** One image of a run, as far as memory is concerned. */
export interface ImageLoad {
  readonly config: InfinityConfig;
  /** Bytes of the transformer's weights. */
  readonly weights: number;
  readonly storage: StorageType;
  readonly plan: Plan;
  /** Tokens of the last map, of which nothing is kept. */
  readonly lastTokens: number;
  /** Sequences of one image: 2 with guidance. */
  readonly rows: number;
  /** Characters of the longest prompt. */
  readonly characters: number;
  /** Width × height of the drawn image. */
  readonly pixels: number;
}

/** On the test machine 16 images take 0.8 of the time that each takes alone, and a stop loses as many: no more are drawn at once. */
const MOST_IMAGES = 16;
/** Of the memory that is free, what a run takes unless told otherwise. */
const FREE_SHARE = 0.8;
/** Texts are padded to whole blocks of so many tokens; a token of English has at least 3 characters, as a rule. */
const TEXT_BLOCK = 64;
const CHARACTERS_PER_TOKEN = 3;
/** Copies of a finished image's levels: from the decoder, cut out of its batch, sent by the worker, and encoded. */
const IMAGE_COPIES = 4;
const COLOURS = 3;
const FLOAT = Float32Array.BYTES_PER_ELEMENT;

/** The largest batch, at least 1, that stays within `bytes` beside what is loaded. */
export function imagesWithin(load: ImageLoad, bytes: number): number {
  let images = 1;
  while (images < MOST_IMAGES && batchBytes(load, images + 1) <= bytes) images++;
  return images;
}

/** Bytes that a batch takes beside the loaded model, at most: cache, a layer's work, texts, finished images. */
export function batchBytes(load: ImageLoad, images: number): number {
  const { config, plan, lastTokens } = load;
  const rows = images * load.rows;
  const scales = [...plan.fresh, lastTokens].map((tokens, scale) => scaleBytes(load, rows, tokens, scale));
  const textTokens = TEXT_BLOCK * Math.ceil(load.characters / CHARACTERS_PER_TOKEN / TEXT_BLOCK + 1 / TEXT_BLOCK);
  const text = rows * Math.min(textTokens, config.textLength) * 2 * config.width * config.depth * FLOAT;
  return Math.max(...scales) + text + images * load.pixels * COLOURS * IMAGE_COPIES + MOST_GARBAGE;
}

/** While the scale runs: what is cached, the new tokens of a layer beside it, and the layer's work. */
function scaleBytes({ config, plan, storage }: ImageLoad, rows: number, tokens: number, scale: number): number {
  const { heads, width } = config;
  const dim = width / heads;
  const lengths = plan.lengths[scale - 1] ?? [0];
  const cached = lengths.reduce((sum, length) => sum + length, 0);
  const slot = { storage, heads: plan.headwise ? 1 : heads, dim, plan };
  const held = rows * lengths.reduce((sum, length) => sum + heldBytes(slot, length), 0);
  const fresh = rows * tokens * bytesPerToken("fp32", heads, dim);
  return held + fresh + layerWorkingBytes(config, { rows, tokens, past: cached / lengths.length });
}

/** Bytes that a run may take on this machine: most of what is free, in a container of what it may have. */
export function spareMemory(): number {
  // Node 20.13 and newer know of containers' limits.
  const { availableMemory } = process as { availableMemory?: () => number };
  return FREE_SHARE * (availableMemory?.() ?? freemem());
}

/** Threads for each of several processes on this machine. */
export function threadsEach(processes: number): number {
  return Math.max(1, Math.floor(availableParallelism() / processes));
}
