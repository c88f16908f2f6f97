/**
 * Our own policy: what leaves the cache is merged into what stays.
 *
 * Claim: the tokens of a map resemble their neighbours, the more so the larger the map. Whatever a query asks, keys that
 * are alike are given alike; so one token can stand for several, if attention weighs it as several. Mechanism: after every
 * scale each layer chooses, by row and head, the tokens that stay: the first two scales (if they are no more than half),
 * and in four rounds those that 32 queries, evenly spread over the map, attend to and that are unlike all chosen before
 * (`unlike-graph.ts`). Every other token goes into the one of those whose key is most like its own, if the cosine is at
 * least 0.6: mean key, mean value, and ln n added to the logit of what stands for n (`merge-graph.ts`). What is unlike
 * all that stay is dropped. Every layer keeps the same number, no calibration is needed, and nothing is remembered from
 * scale to scale but the tokens.
 *
 * Why so: the trials and their figures are in docs/LOG.md. On a trained model merging was 3 dB above dropping the same
 * tokens; merging by place, patch by patch, was as bad as dropping; capacities by layer or head made no difference, or a
 * bad one; without rounds the chosen were neighbours of each other; without a least cosine the smallest caches suffered.
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

/** Keys that are less alike are not merged. */
const LEAST_COSINE = 0.6;

/** The adaptive policy under given capacities. */
export function adaptive({ capacities }: AdaptiveOptions): Policy {
  return {
    name: "adaptive",
    plan: (run) => {
      const first = historyAfter(run.maps)[FIRST_SCALES - 1] ?? 0;
      const window = (_: number, capacity: number, length: number): number[] =>
        firstAndLatest(Math.min(first, Math.max(1, Math.floor(capacity / 2))), 0, length);
      const decide = keepHeavyHitters(run, { capacities, observers: OBSERVERS, window, cumulative: false });
      return planEvictions(run, decide, { ...GIVEN_ATTENTION, cumulative: false, rounds: ROUNDS, merge: LEAST_COSINE });
    },
  };
}
