import { expect, it } from "vitest";
import type { Eviction, Plan, Scoring } from "../cache/policy.js";
import { cacheWork, storedBytes, type CacheTask } from "./cache-work.js";
import type { InfinityConfig } from "../models/infinity/config.js";

const CONFIG = { width: 8, heads: 2 } as InfinityConfig;
const ROWS = 3;
/** Bytes of a token's keys and values in all rows: in float32, and in int8 with scales; of its second bytes; of its counts. */
const [CAME, INT8, SECOND, COUNTS] = [ROWS * 64, ROWS * (16 + 16), ROWS * 16, ROWS * 8];
const SCORING: Scoring = {
  queries: "attention",
  contribution: "weight",
  pooling: { kind: "max", size: 1 },
  exclusion: "after",
};

/** Bytes after the second scale of one layer: 20 tokens are cached, 10 come, `kept` stay. */
function bytes(eviction: Eviction, kept: number, task: Partial<CacheTask> = {}, scoring?: Scoring): number {
  const plan: Plan = { scoring, fresh: [20, 10], evictions: [[], [eviction]], lengths: [[20], [kept]] };
  return cacheWork(CONFIG, { plan, rows: ROWS, storage: "int8", merging: false, ...task }, 1).bytes;
}

it("counts the second byte that int8 has of the first 21 tokens, and what tokens stand for", () => {
  const slot = { rows: ROWS, heads: 2, dim: 4, storage: "int8", merging: false } as const;
  expect(storedBytes(slot, 30)).toBe(30 * INT8 + 21 * SECOND);
  expect(storedBytes({ ...slot, storage: "fp32", merging: true }, 30)).toBe(30 * (CAME + COUNTS));
});

it("reads what comes and writes what stays, once each", () => {
  expect(bytes({ kind: "none" }, 30, { storage: "fp32" })).toBe(0);
  expect(bytes({ kind: "none" }, 30)).toBe(10 * (CAME + INT8) + SECOND);
  // Three cached tokens and one that came stay.
  const positions = [0, 1, 19, 25];
  expect(bytes({ kind: "fixed", positions }, 4)).toBe(3 * (INT8 + SECOND) + CAME + 4 * (INT8 + SECOND));
});

it("reads all keys to judge them, and values of what stays or, to merge them, all", () => {
  const eviction = { kind: "scored", capacity: 4, window: [0, 1], observers: [0, 5] } as const;
  const keys = (20 * (INT8 + SECOND) + 10 * CAME) / 2;
  const queries = (2 * CAME) / 2;
  const written = 4 * (INT8 + SECOND);
  expect(bytes(eviction, 4, {}, SCORING)).toBe(keys + queries + 2 * INT8 + written);
  // Scores of all lanes, before and after.
  const scores = 4 * ROWS * 2 * (20 + 4);
  const cumulative = { ...SCORING, cumulative: true };
  expect(bytes(eviction, 4, {}, cumulative)).toBe(keys + queries + 2 * INT8 + written + scores);
  const merge = { ...SCORING, rounds: 2, merge: 0.6 };
  expect(bytes(eviction, 4, { merging: true }, merge)).toBe(2 * keys + queries + 20 * COUNTS + written + 4 * COUNTS);
});
