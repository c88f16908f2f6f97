/**
 * HeatKV (arXiv 2605.14877; code by arm-research/heatkv).
 *
 * Claim: which head looks back at which scale is a property of the model, not of the image, so what to evict can be
 * settled once. Mechanism: the tokens of one source scale in one head are a segment. Calibration ranks the segments of
 * each source scale by the attention that later scales pay them; after every scale the lowest-ranked segments of all
 * source scales go, as many as bring the whole cache under the budget (`budget/segments.ts`). The first three scales are
 * sinks and stay. Nothing is scored while an image is drawn.
 *
 * Heads end up with caches of very different length, many with the sinks alone; each has its own length here, and no
 * mask holds dead keys. Whole segments seldom fill a budget exactly: up to one segment less than it is kept.
 *
 * Where we differ: the budget holds once all layers are through with a scale. The published code also evicts between
 * layers, so that it holds at every moment; what is left after the scale is the same.
 */
import type { MapSize } from "../../budget/maps.js";
import { evictedSlots, type EvictionOrder } from "../../budget/segments.js";
import { planHeads, type CacheRun, type Plan, type Policy } from "../policy.js";

/** What HeatKV keeps. */
export interface HeatOptions {
  /** For every source scale after the sinks: all heads, the first to be evicted first. */
  readonly order: EvictionOrder;
  /** Scales that always stay. */
  readonly sinks: number;
  /** Tokens a layer and head on average. */
  readonly budget: number;
}

/** HeatKV by a calibrated order. */
export function heatkv(options: HeatOptions): Policy {
  return { name: "heatkv", plan: (run) => plan(run, options) };
}

function plan(run: CacheRun, { order, sinks, budget }: HeatOptions): Plan {
  const { maps, layers, heads } = run;
  const evicted = evictedSlots({ maps, slots: layers * heads, budget, sinks });
  const ranks = order.map((slots) => new Map(slots.map((slot, rank) => [slot, rank])));
  /** Whether a slot still has a source scale's tokens once all is done after scale `after`. */
  const holds = (slot: number, source: number, after: number): boolean =>
    source < sinks || after < source || ranks[source - sinks]!.get(slot)! >= evicted[after]!;

  const sources = [...maps.keys()];
  /** Of a slot: the source scales that are left of the first `count` once all is done after scale `after`. */
  const left = (slot: number, count: number, after: number): number[] =>
    sources.slice(0, count).filter((source) => holds(slot, source, after));
  const known = new Map<string, readonly number[]>();

  return planHeads(run, ({ slot, scale }) => {
    const before = left(slot, scale + 1, scale - 1);
    const after = left(slot, scale + 1, scale);
    if (after.length === before.length) return { kind: "none" };
    // Many heads hold the same segments: they share a list, which may be thousands of tokens long.
    const which = `${before.join()} > ${after.join()}`;
    const positions = known.get(which) ?? positionsOf(maps, before, after);
    known.set(which, positions);
    return { kind: "fixed", positions };
  });
}

/** Where the tokens of the source scales `after` lie among those of `before`. */
function positionsOf(maps: readonly MapSize[], before: readonly number[], after: readonly number[]): number[] {
  const positions: number[] = [];
  let start = 0;
  for (const source of before) {
    const end = start + maps[source]!.height * maps[source]!.width;
    if (after.includes(source)) for (let token = start; token < end; token++) positions.push(token);
    start = end;
  }
  return positions;
}
