/**
 * Our own policy: nothing is thrown away, it is merged.
 *
 * Claim: the tokens of a map resemble their neighbours, the more so the larger the map. Whatever a query asks, keys that
 * are alike are given alike; so one token can stand for several, if attention weighs it as several. Mechanism: after every
 * scale the tokens that were given most attention over all scales so far stay, as in H2O; 32 queries, evenly spread over
 * the map, judge. All others are merged, by row and head, into the one of those whose key is most like their own: mean
 * key, mean value, and ln n added to the logit of what stands for n (`merge-graph.ts`). The first two scales are among
 * those that stay in any case. Every layer keeps the same number, and no calibration is needed.
 *
 * Why so: the trials and their figures are in docs/LOG.md. On a trained model merging was 3 dB above dropping the same
 * tokens at a fifth of the cache; merging by place, patch by patch, was as bad as dropping; capacities by layer or head
 * made no difference, or a bad one.
 */
import { historyAfter } from "../../budget/maps.js";
import { GIVEN_ATTENTION, keepHeavyHitters } from "../heavy-hitters.js";
import { planEvictions, type Policy } from "../policy.js";
import { firstAndLatest } from "../window.js";

/** What the policy keeps. */
export interface AdaptiveOptions {
  /** [scale][layer]: tokens a layer keeps after a scale. */
  readonly capacities: readonly (readonly number[])[];
}

/** Scales whose tokens always stay: the first token and the 2 × 2 map after it, where the map is square. */
const FIRST_SCALES = 2;

/** Queries of a scale that are asked. */
const OBSERVERS = 32;

/** Rounds in which those that stay are chosen. */
const ROUNDS = 4;

/** The adaptive policy under given capacities. */
export function adaptive({ capacities }: AdaptiveOptions): Policy {
  return {
    name: "adaptive",
    plan: (run) => {
      const first = historyAfter(run.maps)[FIRST_SCALES - 1] ?? 0;
      const window = (_: number, capacity: number, length: number): number[] =>
        firstAndLatest(Math.min(first, capacity), 0, length);
      const decide = keepHeavyHitters(run, { capacities, observers: OBSERVERS, window });
      return planEvictions(run, decide, { ...GIVEN_ATTENTION, cumulative: false, rounds: ROUNDS, merge: true });
    },
  };
}
