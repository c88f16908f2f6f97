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
import { planHeads, type CacheRun, type Eviction, type Plan, type Policy, type Scoring } from "../policy.js";
import { spreadTokens } from "../window.js";

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

const SCORING: Scoring = {
  queries: "attention",
  contribution: "weight",
  pooling: { kind: "max", size: 1 },
  exclusion: "after",
  cumulative: true,
};

/** HACK under given capacities and kinds of heads. */
export function hack(options: HackOptions): Policy {
  return { name: "hack", plan: (run) => plan(run, options) };
}

function plan(run: CacheRun, { capacities, contextual }: HackOptions): Plan {
  const history = historyAfter(run.maps);
  const first = history[FIRST_SCALES - 1] ?? 0;
  return planHeads(
    run,
    ({ slot, scale, cached, fresh }): Eviction => {
      // What is never evicted from need not be judged; all else is, from the first scale on, for the sums' sake.
      if (history.every((tokens, k) => capacities[k]![slot]! >= tokens)) return { kind: "none" };
      const length = cached + fresh;
      const capacity = Math.min(capacities[scale]![slot]!, length);
      const window = contextual[slot] ? [] : firstAndRecent(capacity, length, first);
      return { kind: "scored", capacity, window, observers: spreadTokens(fresh, OBSERVERS) };
    },
    SCORING,
  );
}

/** The first tokens, and the latest of the others: half of the room that is left. */
function firstAndRecent(capacity: number, length: number, first: number): number[] {
  const sinks = Math.min(first, capacity);
  const recent = Math.floor((capacity - sinks) / 2);
  return [...new Array<number>(sinks).keys(), ...Array.from({ length: recent }, (_, i) => length - recent + i)];
}
