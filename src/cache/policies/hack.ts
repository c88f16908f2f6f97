/**
 * HACK, head-aware KV compression (AAAI 2026, arXiv 2504.09261), by its paper; no code is published.
 *
 * Claim: heads are of two kinds. Contextual heads look at the same few tokens whatever the query: their attention varies
 * little down a column, and a small cache serves them. Structural heads look at places that move with the query, so
 * their attention varies, and they need more. Mechanism: calibration measures each head's column-wise variance at the
 * last scale; the `contextual` share with the lowest is contextual. They keep what attention of 32 evenly spread queries
 * ranks highest, summed over scales. Structural heads keep the first two scales, the most recent tokens, and the highest
 * ranked between.
 *
 * The paper leaves the numbers to its tables: here half of the heads are contextual and get half of the mean budget, so
 * that B = α·B_C + (1 − α)·B_S holds with B_C = B / 2 and B_S = 3B / 2; and half of what a structural head has beyond
 * the first two scales is recent. Its merging of evicted tokens at the last step is left out: nothing of the last scale
 * is cached here.
 */
import { historyAfter } from "../../budget/maps.js";
import { GIVEN_ATTENTION, keepHeavyHitters } from "../heavy-hitters.js";
import { planHeads, type Policy } from "../policy.js";
import { firstAndLatest } from "../window.js";

/** What HACK keeps. */
export interface HackOptions {
  /** [scale][layer × heads + head]: tokens a head keeps after a scale. */
  readonly capacities: readonly (readonly number[])[];
  /** Whether a head is contextual, [layer × heads + head]. */
  readonly contextual: readonly boolean[];
}

/** Scales that a structural head always keeps. */
const FIRST_SCALES = 2;

/** Queries of a scale that are asked. */
const OBSERVERS = 32;

/** HACK under given capacities and kinds of heads. */
export function hack({ capacities, contextual }: HackOptions): Policy {
  return {
    name: "hack",
    plan: (run) => {
      const first = historyAfter(run.maps)[FIRST_SCALES - 1] ?? 0;
      const window = (slot: number, capacity: number, length: number): number[] => {
        if (contextual[slot]) return [];
        const sinks = Math.min(first, capacity);
        return firstAndLatest(sinks, Math.floor((capacity - sinks) / 2), length);
      };
      return planHeads(run, keepHeavyHitters(run, { capacities, observers: OBSERVERS, window }), GIVEN_ATTENTION);
    },
  };
}
