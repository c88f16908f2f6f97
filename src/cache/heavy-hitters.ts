/** What `h2o`, `hack` and `adaptive` have in common: tokens are ranked by the attention that a scale's queries give them. */
import { historyAfter } from "../budget/maps.js";
import type { CacheRun, Eviction, Scoring, Situation } from "./policy.js";
import { spreadTokens } from "./window.js";

/** Attention weights of the observers, key by key, summed over the scales. */
export const GIVEN_ATTENTION: Scoring = {
  queries: "attention",
  contribution: "weight",
  pooling: { kind: "max", size: 1 },
  exclusion: "after",
  cumulative: true,
};

/** How a policy of this kind differs from the others. */
export interface HeavyHitterOptions {
  /** [scale][slot]: tokens a slot keeps after a scale. */
  readonly capacities: readonly (readonly number[])[];
  /** Queries of a scale that are asked, evenly spread over its map. */
  readonly observers: number;
  /** Positions, of `length` in all, that a slot keeps in any case: at most `capacity`, sorted. */
  readonly window: (slot: number, capacity: number, length: number) => readonly number[];
  /** Whether attention adds up over the scales. Default true. */
  readonly cumulative?: boolean;
}

/** Decides for every slot and scale of a run; for plans by layer and by head. */
export function keepHeavyHitters(
  { maps }: CacheRun,
  { capacities, observers, window, cumulative = true }: HeavyHitterOptions,
): (situation: Situation) => Eviction {
  const history = historyAfter(maps);
  // Sums need every scale's attention from the first on, except where nothing is ever evicted.
  const neverEvicted = (slot: number): boolean => history.every((tokens, k) => capacities[k]![slot]! >= tokens);
  return ({ slot, scale, cached, fresh }) => {
    const length = cached + fresh;
    const capacity = Math.min(capacities[scale]![slot]!, length);
    if (cumulative ? neverEvicted(slot) : capacity === length) return { kind: "none" };
    return {
      kind: "scored",
      capacity,
      window: window(slot, capacity, length),
      observers: spreadTokens(fresh, observers),
    };
  };
}
