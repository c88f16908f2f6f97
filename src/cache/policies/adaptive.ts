/**
 * Our own policy: HeatKV's insight decides how much each head keeps, ScaleKV's what.
 *
 * Claim: how far back a head looks is a property of the model; at which tokens, of the image. Mechanism: calibration
 * measures how much attention every head pays to each source scale (`budget/segments.ts`); beyond the observation
 * window, capacities are in proportion to what a head pays to the scales there are (`allocateByMass`), over all layers
 * and heads together. After every scale a head keeps the window, the centres of the map's patches, and what the window's
 * real queries attend to most, as ScaleKV's paper has it.
 */
import { planHeads, type Policy, type Scoring } from "../policy.js";
import { observationWindow } from "../window.js";

/** What the policy keeps. */
export interface AdaptiveOptions {
  /** [scale][layer × heads + head]: tokens a head keeps after a scale. */
  readonly capacities: readonly (readonly number[])[];
  /** Tokens of the observation window. */
  readonly window?: number | undefined;
}

const SCORING: Scoring = {
  queries: "attention",
  contribution: "weight",
  pooling: { kind: "average", size: 5 },
  exclusion: "after",
};

/** The adaptive policy under given capacities. */
export function adaptive({ capacities, window: size = 16 }: AdaptiveOptions): Policy {
  return {
    name: "adaptive",
    plan: (run) =>
      planHeads(
        run,
        ({ slot, scale, cached, fresh, map }) => {
          const capacity = capacities[scale]![slot]!;
          if (cached + fresh <= capacity) return { kind: "none" };
          const { positions, observers } = observationWindow(cached, map, Math.min(size, capacity));
          return { kind: "scored", capacity, window: positions, observers };
        },
        SCORING,
      ),
  };
}
