/**
 * ScaleKV (Li et al., "Memory-Efficient Visual Autoregressive Modeling with Scale-Aware KV Cache Compression", NeurIPS
 * 2025, arXiv 2505.19602).
 *
 * Claim: a tenth of the cache draws the same image, because layers differ. Drafters look back over all scales and get
 * large caches; refiners attend to the map at hand and get small ones that shrink from scale to scale.
 *
 * Mechanism: capacities come from a budget (`budget/`), one for every layer and scale. Once a layer's cache exceeds the
 * base capacity, it is cut to its capacity after every scale: an observation window of 16 tokens, the centres of 4 × 4
 * patches of the scale's map, stays; of the others those stay that the window attends to, by row and head.
 *
 * Where the published code differs from the paper, `scoring` chooses:
 * - `reference`, the code: the window's queries are the bare product with the query matrix, without bias, normalisation or
 *   rotation, a key's score is the sum of raw logits over √dim, and it is pooled by the largest of 5 neighbours. A map
 *   that is smaller than the window's grid is observed by the last 16 tokens.
 * - `paper`, Eq. 5: the queries that attention uses, attention weights, the mean of 5 neighbours. This is the default: on the
 *   model that ships it is 2 dB nearer to the full cache at 10 % (docs/QUALITY.md). Where the window is more than half of
 *   what stays it can be further away (docs/LOG.md).
 *
 * Where we differ from both: maps that are not square have a window of patch centres as well, nothing is cached for the last
 * scale, and nothing survives an image.
 */
import { planEvictions, type CacheRun, type Plan, type Policy, type Scoring } from "../policy.js";
import { observationWindow } from "../window.js";

/** Scoring rules: that of the published code, and that of the paper. */
export const SCORINGS = ["reference", "paper"] as const;

/** One of {@link SCORINGS}. */
export type ScaleKVScoring = (typeof SCORINGS)[number];

/** What ScaleKV keeps. */
export interface ScaleKVOptions {
  /** [scale][layer]: tokens a layer keeps after a scale; a missing row or value keeps everything. */
  readonly capacities: readonly (readonly number[] | undefined)[];
  /** Nothing of a layer is evicted before its cache has exceeded this many tokens. */
  readonly baseCapacity: number;
  /** Tokens of the observation window. Published: 16. */
  readonly window?: number | undefined;
  readonly scoring?: ScaleKVScoring | undefined;
  /** How scores are pooled; default: that of the scoring rule. */
  readonly pooling?: Scoring["pooling"] | undefined;
}

/** Neighbours that scores are pooled over, in the published code. */
const POOL_SIZE = 5;

const RULES: Readonly<Record<ScaleKVScoring, Scoring>> = {
  reference: {
    queries: "projected",
    contribution: "logit",
    pooling: { kind: "max", size: POOL_SIZE },
    exclusion: "before",
  },
  paper: {
    queries: "attention",
    contribution: "weight",
    pooling: { kind: "average", size: POOL_SIZE },
    exclusion: "after",
  },
};

/** ScaleKV under given capacities. */
export function scalekv(options: ScaleKVOptions): Policy {
  const rule = RULES[options.scoring ?? "paper"];
  const scoring = { ...rule, pooling: options.pooling ?? rule.pooling };
  return { name: "scalekv", plan: (run) => plan(run, options, scoring) };
}

function plan(run: CacheRun, { capacities, baseCapacity, window: size = 16 }: ScaleKVOptions, scoring: Scoring): Plan {
  const exceeded = new Set<number>();
  return planEvictions(
    run,
    ({ slot: layer, scale, cached, fresh, map }) => {
      const length = cached + fresh;
      if (length > baseCapacity) exceeded.add(layer);
      const capacity = capacities[scale]?.[layer] ?? length;
      if (!exceeded.has(layer) || length <= capacity) return { kind: "none" };
      const { positions, observers } = observationWindow(cached, map, size);
      return { kind: "scored", capacity: Math.max(capacity, positions.length), window: positions, observers };
    },
    scoring,
  );
}
