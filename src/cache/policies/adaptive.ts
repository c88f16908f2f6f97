/**
 * Our own policy: what HeatKV knows of the model decides how much each head keeps, what H2O and HACK see of the image
 * decides which tokens.
 *
 * Claim: how far back a head looks is a property of the model; at which tokens, of the image. Mechanism: calibration
 * measures how much attention every head pays to each source scale (`budget/segments.ts`); over all layers and heads
 * together, capacities are in proportion to what a head pays to the scales there are (`allocateByMass`). After every
 * scale 32 queries, evenly spread over the map, judge the head's tokens by their attention; what a token is given adds
 * up over the scales. The first two scales stay, and the tokens that were given most.
 *
 * Why so: on a half-trained model and 24 prompts it was 1.9, 1.2 and −0.2 dB above the same with ScaleKV's window at 40, 20 and 10 % of the
 * cache; recent tokens, which H2O and HACK keep, cost 1 dB at 40 % (docs/LOG.md). HACK leads it below 40 %.
 */
import { historyAfter } from "../../budget/maps.js";
import { GIVEN_ATTENTION, keepHeavyHitters } from "../heavy-hitters.js";
import { planHeads, type Policy } from "../policy.js";
import { firstAndLatest } from "../window.js";

/** What the policy keeps. */
export interface AdaptiveOptions {
  /** [scale][layer × heads + head]: tokens a head keeps after a scale. */
  readonly capacities: readonly (readonly number[])[];
}

/** Scales that every head keeps: the first token and the 2 × 2 map after it, where the map is square. */
const FIRST_SCALES = 2;

/** Queries of a scale that are asked. */
const OBSERVERS = 32;

/** The adaptive policy under given capacities. */
export function adaptive({ capacities }: AdaptiveOptions): Policy {
  return {
    name: "adaptive",
    plan: (run) => {
      const first = historyAfter(run.maps)[FIRST_SCALES - 1] ?? 0;
      const window = (_: number, capacity: number, length: number): number[] =>
        firstAndLatest(Math.min(first, capacity), 0, length);
      return planHeads(run, keepHeavyHitters(run, { capacities, observers: OBSERVERS, window }), GIVEN_ATTENTION);
    },
  };
}
