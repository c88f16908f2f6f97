/**
 * H2O, heavy hitters (Zhang et al., NeurIPS 2023, arXiv 2306.14048), as a rival of ScaleKV.
 *
 * Claim: a few tokens collect most of all attention that is ever paid, and go on doing so. Mechanism: what a token is
 * given adds up over all scales; half of a layer's capacity goes to the most recent tokens, the other half to those with
 * the largest sums, by row and head. Every layer keeps the same number.
 *
 * Where we differ: the original sums over every query. Here `observers` queries, evenly spread over the map, speak for
 * each scale (all of them where the map has no more), so no queries × keys matrix of a whole map is ever held; every
 * scale from 8 × 8 on counts the same. Default 64, as in calibration.
 */
import { GIVEN_ATTENTION, keepHeavyHitters } from "../heavy-hitters.js";
import { planEvictions, type Policy } from "../policy.js";
import { firstAndLatest } from "../window.js";

/** What H2O keeps. */
export interface H2oOptions {
  /** [scale][layer]: tokens a layer keeps after a scale. */
  readonly capacities: readonly (readonly number[])[];
  /** Queries of a scale that are asked. */
  readonly observers?: number | undefined;
  /** Share of the capacity for the most recent tokens; default ½, as published. */
  readonly recent?: number | undefined;
}

/** H2O under given capacities. */
export function h2o({ capacities, observers = 64, recent = 0.5 }: H2oOptions): Policy {
  const window = (_: number, capacity: number, length: number): number[] =>
    firstAndLatest(0, Math.floor(capacity * recent), length);
  return {
    name: "h2o",
    plan: (run) => planEvictions(run, keepHeavyHitters(run, { capacities, observers, window }), GIVEN_ATTENTION),
  };
}
