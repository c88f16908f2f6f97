/**
 * HeatKV's static order (arXiv 2605.14877): what is evicted is a whole segment, all tokens of one source scale in one
 * head of one layer, chosen before any image is drawn. The Scale-dependent Cumulative Attention Score (S-CAS) of a
 * segment is the mean attention that later scales give to it; the lowest go first. The coarsest scales are sinks and
 * stay for ever.
 */
import { OptionError } from "../errors.js";
import { historyAfter, type MapSize } from "./maps.js";

/** Scales that are never evicted, as published: 1 + 4 + 16 = 21 tokens of a square schedule. */
export const SINK_SCALES = 3;

/**
 * Mean attention mass, [layer][head][source scale]: over prompts, over all later scales, over their queries, the sum of
 * the weights on the source scale's tokens.
 */
export type SegmentMass = readonly (readonly (readonly number[])[])[];

/** A head of a layer, as one number: layer × heads + head. */
export type Slot = number;

/** For every source scale from the first after the sinks: all slots, the first to be evicted first. */
export type EvictionOrder = readonly (readonly Slot[])[];

/**
 * The order of eviction: lowest mass first. Equal masses go by head, then by layer, as in the published orders.
 *
 * @throws OptionError where a head lacks a source scale, or a mass is not a number from 0
 */
export function evictionOrder(mass: SegmentMass, sinks = SINK_SCALES): EvictionOrder {
  const heads = mass[0]?.length ?? 0;
  const sources = mass[0]?.[0]?.length ?? 0;
  return Array.from({ length: Math.max(sources - sinks, 0) }, (_, index) => {
    const segments = mass.flatMap((layer, l) =>
      Array.from({ length: heads }, (_, h) => ({ l, h, mass: checkedMass(layer[h]?.[index + sinks], l, h) })),
    );
    return segments.sort((a, b) => a.mass - b.mass || a.h - b.h || a.l - b.l).map(({ l, h }) => l * heads + h);
  });
}

function checkedMass(mass: number | undefined, layer: number, head: number): number {
  if (mass !== undefined && mass >= 0) return mass;
  throw new OptionError(`attention mass ${mass ?? "missing"} in layer ${layer}, head ${head}: not a number from 0`);
}

/** What the number of evicted segments depends on. */
export interface EvictionTask {
  readonly maps: readonly MapSize[];
  /** Layers × heads. */
  readonly slots: number;
  /** Tokens a layer and head, on average over all slots. */
  readonly budget: number;
  /** Default {@link SINK_SCALES}. */
  readonly sinks?: number;
}

/**
 * How many slots of the order have lost their segment after scale k, k = 0 … K − 2; the number is the same for every
 * source scale from the first after the sinks to k itself. Counted when all layers are through with scale k, it is the
 * smallest x for which
 *
 *     (slots − x) · history(k) + x · sinkTokens ≤ slots · budget.
 *
 * @throws OptionError for a budget that the sinks alone exceed
 */
export function evictedSlots({ maps, slots, budget, sinks = SINK_SCALES }: EvictionTask): number[] {
  const history = historyAfter(maps);
  const sinkTokens = history[Math.min(sinks, history.length) - 1] ?? 0;
  if (budget < sinkTokens) {
    throw new OptionError(
      `budget ${budget}: fewer tokens than the ${sinkTokens} of the ${sinks} scales that always stay`,
    );
  }
  return history.map((tokens) =>
    tokens <= budget ? 0 : Math.ceil((slots * (tokens - budget)) / (tokens - sinkTokens)),
  );
}
