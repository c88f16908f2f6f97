/** What happens to the cache after a scale, by formula; graphs as in `cache/commit-graph.ts`. */
import type { Eviction, Plan, Scored, Scoring } from "../cache/policy.js";
import { bytesOfFine, bytesPerToken, fineTokens, type StorageType } from "../cache/storage.js";
import { roundSizes } from "../cache/unlike-graph.js";
import type { InfinityConfig } from "../models/infinity/config.js";
import { FLOAT, product, together, type Work } from "./work.js";

/** The cache of a run. */
export interface CacheTask {
  readonly plan: Plan;
  /** Sequences side by side. */
  readonly rows: number;
  readonly storage: StorageType;
  /** Tokens may stand for several. */
  readonly merging: boolean;
}

/** A slot's work after one scale, for all rows. */
interface SlotTask extends Omit<CacheTask, "plan"> {
  readonly heads: number;
  readonly dim: number;
  /** Tokens: cached, new, and cached afterwards. */
  readonly past: number;
  readonly fresh: number;
  readonly kept: number;
  readonly scoring: Scoring | undefined;
}

type Slot = Pick<SlotTask, "rows" | "heads" | "dim" | "storage" | "merging">;

/** All slots after scale `scale`, from 0. */
export function cacheWork({ width, heads }: InfinityConfig, { plan, ...task }: CacheTask, scale: number): Work {
  const { scoring, lengths, evictions } = plan;
  const slot = { ...task, scoring, heads: plan.headwise ? 1 : heads, dim: width / heads };
  const works = (evictions[scale] ?? []).map((eviction, i) => {
    const tokens = { past: lengths[scale - 1]?.[i] ?? 0, fresh: plan.fresh[scale]!, kept: lengths[scale]![i]! };
    return evictionWork(eviction, { ...slot, ...tokens });
  });
  return together(works);
}

/** Bytes of a slot's first `tokens` tokens as they are stored, with what lies beside them. */
export function storedBytes({ rows, heads, dim, storage, merging }: Slot, tokens: number): number {
  const counts = merging ? FLOAT * heads * tokens : 0;
  return rows * (tokens * bytesPerToken(storage, heads, dim) + bytesOfFine(storage, heads, dim, tokens) + counts);
}

/**
 * Products that bring keys or values of `tokens` tokens into the basis in which int8 stores them, or out of it
 * (`cache/storage-graph.ts`); other types need none.
 */
export function basisOperations({ rows, heads, dim, storage }: Omit<Slot, "merging">, tokens: number): number {
  return storage === "int8" ? product(rows * heads * tokens, dim, dim) : 0;
}

/** float32 tokens that all stay are written in place by the layer; everything else is read and written. */
function evictionWork(eviction: Eviction, task: SlotTask): Work {
  const { storage, past, fresh, kept } = task;
  if (eviction.kind === "none" && storage === "fp32") return { operations: {}, bytes: 0 };
  const stored = { operations: { fp32: 2 * basisOperations(task, fresh) }, bytes: 0 };
  switch (eviction.kind) {
    case "none":
      return { ...stored, bytes: cameBytes(task, fresh) + storedBytes(task, past + fresh) - storedBytes(task, past) };
    case "fixed":
      return { ...stored, bytes: fixedBytes(task, eviction.positions) + storedBytes(task, kept) };
    case "scored":
      return together([stored, choiceWork(task, eviction), mergeWork(task)]);
  }
}

/** Bytes of keys and values as the layer gives them. */
function cameBytes({ rows, heads, dim }: SlotTask, tokens: number): number {
  return rows * tokens * bytesPerToken("fp32", heads, dim);
}

/** Those positions, read: the cached ones as they are stored, the others as they came. */
function fixedBytes(task: SlotTask, positions: readonly number[]): number {
  const { rows, heads, dim, storage, past } = task;
  const before = (end: number): number => positions.filter((position) => position < end).length;
  const [cached, first] = [before(past), before(fineTokens(past))];
  const old = cached * bytesPerToken(storage, heads, dim) + first * bytesOfFine(storage, heads, dim);
  return rows * old + cameBytes(task, positions.length - cached);
}

/** Keys are read to be judged, values of what stays, or, where the others are merged into them, all; what stays is written. */
function choiceWork(task: SlotTask, { observers, window, capacity }: Scored): Work {
  const { rows, heads, dim, storage, merging, past, fresh, kept, scoring } = task;
  const all = past + fresh;
  const keys = (storedBytes({ ...task, merging: false }, past) + cameBytes(task, fresh)) / 2;
  // Which of the new ones stay is known only then; stored, a token takes less than it came with.
  const values = scoring?.merge === undefined ? (rows * kept * bytesPerToken(storage, heads, dim)) / 2 : keys;
  const counts = merging ? rows * heads * past : 0;
  const scores = scoring?.cumulative ? rows * heads * (past + kept) : 0;
  const queries = rows * heads * dim * observers.length;
  const judging = product(rows * observers.length, heads * dim, all) + basisOperations(task, all);
  // Before every round but the first, the window and what the last one added are compared with all.
  const sizes = scoring?.rounds ? roundSizes(capacity - window.length, scoring.rounds).slice(0, -1) : [];
  const compared = scoring?.rounds ? window.length + sizes.reduce((sum, size) => sum + window.length + size, 0) : 0;
  return {
    operations: { fp32: judging + rows * heads * product(all, dim, compared) },
    bytes: keys + values + FLOAT * (counts + scores + queries) + storedBytes(task, kept),
  };
}

/** Every key's cosines with those that stay, and the sums of what goes into each; nothing where all others are dropped. */
function mergeWork(task: SlotTask): Work {
  const { rows, heads, dim, past, fresh, kept, scoring } = task;
  if (scoring?.merge === undefined) return { operations: {}, bytes: 0 };
  const all = past + fresh;
  // Of a token: key, value, how many it stands for, and what it was given.
  const summed = 2 * dim + 2;
  const products = rows * heads * (product(all, dim, kept) + product(kept, all, summed));
  // Values come out of the basis, as the keys did to be judged, and what was summed goes into it again.
  const basis = basisOperations(task, all) + 2 * basisOperations(task, kept);
  return { operations: { fp32: products + basis }, bytes: 0 };
}
