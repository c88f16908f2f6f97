/**
 * SnapKV (Li et al., NeurIPS 2024, arXiv 2404.14469), in the form that the ScaleKV paper compares with.
 *
 * Claim: what the last tokens of a prompt attend to is what the answer will attend to. Mechanism: the last 16 tokens
 * are the observation window and stay; of the others those stay that the window's attention weights, averaged over 5
 * neighbours, rank highest, by row and head. Every layer keeps the same number.
 *
 * Where we differ: the original observes once, after the prompt; here there is an eviction after every scale, as the
 * tokens come a map at a time. The window's size follows ScaleKV's (the original's is 16 to 64).
 */
import { planEvictions, type Policy, type Scoring } from "../policy.js";
import { recentWindow } from "../window.js";

/** What SnapKV keeps. */
export interface SnapOptions {
  /** [scale][layer]: tokens a layer keeps after a scale. */
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

/** SnapKV under given capacities. */
export function snapkv({ capacities, window: size = 16 }: SnapOptions): Policy {
  return {
    name: "snapkv",
    plan: (run) =>
      planEvictions(
        run,
        ({ scale, slot: layer, cached, fresh }) => {
          const capacity = capacities[scale]![layer]!;
          if (cached + fresh <= capacity) return { kind: "none" };
          const { positions, observers } = recentWindow(cached, fresh, Math.min(size, capacity));
          return { kind: "scored", capacity, window: positions, observers };
        },
        SCORING,
      ),
  };
}
