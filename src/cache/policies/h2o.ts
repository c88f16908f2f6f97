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
import { historyAfter } from "../../budget/maps.js";
import { planEvictions, type Policy, type Scoring } from "../policy.js";
import { spreadTokens } from "../window.js";

/** What H2O keeps. */
export interface H2oOptions {
  /** [scale][layer]: tokens a layer keeps after a scale. */
  readonly capacities: readonly (readonly number[])[];
  /** Queries of a scale that are asked. */
  readonly observers?: number | undefined;
  /** Share of the capacity for the most recent tokens; default ½, as published. */
  readonly recent?: number | undefined;
}

const SCORING: Scoring = {
  queries: "attention",
  contribution: "weight",
  pooling: { kind: "max", size: 1 },
  exclusion: "after",
  cumulative: true,
};

/** H2O under given capacities. */
export function h2o({ capacities, observers = 64, recent = 0.5 }: H2oOptions): Policy {
  return {
    name: "h2o",
    plan: (run) => {
      const history = historyAfter(run.maps);
      return planEvictions(
        run,
        ({ scale, slot: layer, cached, fresh }) => {
          // What is never evicted from need not be judged; all else is, from the first scale on, for the sums' sake.
          if (history.every((tokens, k) => capacities[k]![layer]! >= tokens)) return { kind: "none" };
          const length = cached + fresh;
          const capacity = Math.min(capacities[scale]![layer]!, length);
          const latest = Math.floor(capacity * recent);
          const window = Array.from({ length: latest }, (_, i) => length - latest + i);
          return { kind: "scored", capacity, window, observers: spreadTokens(fresh, observers) };
        },
        SCORING,
      );
    },
  };
}
