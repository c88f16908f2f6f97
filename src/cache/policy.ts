/**
 * The contract of a cache policy. A policy says, before an image is drawn, what happens to every layer's cache after
 * every scale; it holds no state, so nothing can leak from one image to the next, and what the cache will take is known
 * beforehand. What must be decided from the keys themselves it leaves to a scoring rule, which one graph carries out on
 * the device (`commit-graph.ts`) and one plain function states for people and tests (`oracle.ts`).
 *
 * A plan is for slots. A slot is what has a length of its own: a layer, all of whose heads keep equally many tokens, or,
 * where a policy treats them apart, a single head. Positions count a slot's tokens as they lie in its cache, oldest
 * first: 0 to cached − 1, then the scale's own tokens.
 */

import type { MapSize } from "../budget/maps.js";

export type { MapSize } from "../budget/maps.js";

/** The run a policy plans for. */
export interface CacheRun {
  readonly layers: number;
  /** Self-attention heads. */
  readonly heads: number;
  /** The map of every scale. Nothing is kept of the last one. */
  readonly maps: readonly MapSize[];
}

/** What happens to one slot after one scale. */
export type Eviction =
  /** Everything stays. */
  | { readonly kind: "none" }
  /** These positions stay, in every row and head; sorted. */
  | { readonly kind: "fixed"; readonly positions: readonly number[] }
  /** The window stays, and the best-scored others up to `capacity` tokens, by row and head. */
  | Scored;

/** An eviction that the scoring rule decides. */
export interface Scored {
  readonly kind: "scored";
  /** Tokens that stay, the window included; at least the window's length. */
  readonly capacity: number;
  /** Positions that stay in any case; sorted. */
  readonly window: readonly number[];
  /** Tokens of the scale (0 for its first) whose queries judge the others; the same in all heads of a layer. */
  readonly observers: readonly number[];
}

/** How a key is judged. */
export interface Scoring {
  /**
   * The observers' queries: `attention` as attention uses them (biased, normalised, scaled, rotated), or `projected`,
   * the bare product with the query matrix.
   */
  readonly queries: "attention" | "projected";
  /** What an observer contributes to a key: its attention weight, or its raw logit divided by √dim. */
  readonly contribution: "weight" | "logit";
  /** A key's score becomes the largest or the mean of its neighbours' (odd size, zeros beyond the ends count). */
  readonly pooling: { readonly kind: "max" | "average"; readonly size: number };
  /**
   * When the window, which stays anyway, leaves the competition: `after` pooling, so that it lends its score to its
   * neighbours, or, as the published code has it, `before`, with a score of −∞. A mean then takes the −∞ over; where fewer
   * others are left than stay, window positions are chosen twice.
   */
  readonly exclusion: "before" | "after";
  /** A key's score is the sum of what it was given after every scale so far, instead of after the last. Default false. */
  readonly cumulative?: boolean | undefined;
  /**
   * Those that stay are to be unlike each other. They are chosen in so many rounds, equally many in each (a remainder
   * goes to the last ones), by √score · (1 − the largest cosine with a key that stays already): at first the window's.
   * Default 0: by score alone, all at once.
   */
  readonly rounds?: number | undefined;
  /**
   * What leaves is merged, lane by lane, into the token that stays and whose key is most like its own: keys and values
   * become means, and a token that stands for n counts n times in every later softmax. Given is the least cosine of the
   * two keys; what is less alike is dropped. Default: everything that leaves is dropped.
   */
  readonly merge?: number | undefined;
}

/** A policy's plan of a run. */
export interface Plan {
  /** Slots are single heads, numbered layer · heads + head; otherwise they are layers. Default false. */
  readonly headwise?: boolean | undefined;
  /** Present where any eviction is scored. */
  readonly scoring?: Scoring | undefined;
  /** New tokens of every scale but the last. */
  readonly fresh: readonly number[];
  /** [scale][slot], for every scale but the last. */
  readonly evictions: readonly (readonly Eviction[])[];
  /** [scale][slot]: tokens in the cache after the scale, for every scale but the last. */
  readonly lengths: readonly (readonly number[])[];
}

/** A way to keep the cache small. */
export interface Policy {
  /** The name on the command line and in reports. */
  readonly name: string;
  /** Plans a run. The same run gives the same plan. */
  plan(run: CacheRun): Plan;
}

/** What a slot decides after one scale: `cached` tokens from before and `fresh` new ones, a map of `map`. */
export interface Situation {
  readonly slot: number;
  readonly scale: number;
  readonly cached: number;
  readonly fresh: number;
  readonly map: MapSize;
}

/** Builds a plan for layers by asking `decide` for one layer and scale after another, in the order they will happen. */
export function planEvictions(run: CacheRun, decide: (situation: Situation) => Eviction, scoring?: Scoring): Plan {
  return planSlots(run.layers, run.maps, decide, scoring);
}

/** Builds a plan for single heads as {@link planEvictions} does for layers. */
export function planHeads(run: CacheRun, decide: (situation: Situation) => Eviction, scoring?: Scoring): Plan {
  return { headwise: true, ...planSlots(run.layers * run.heads, run.maps, decide, scoring) };
}

function planSlots(
  slots: number,
  maps: readonly MapSize[],
  decide: (situation: Situation) => Eviction,
  scoring: Scoring | undefined,
): Omit<Plan, "headwise"> {
  const history = maps.slice(0, -1);
  const evictions: Eviction[][] = history.map(() => []);
  const lengths: number[][] = history.map(() => []);
  for (let slot = 0; slot < slots; slot++) {
    let cached = 0;
    for (const [scale, map] of history.entries()) {
      const fresh = map.height * map.width;
      const eviction = decide({ slot, scale, cached, fresh, map });
      cached = lengthAfter(eviction, cached + fresh);
      evictions[scale]!.push(eviction);
      lengths[scale]!.push(cached);
    }
  }
  const judges = evictions.flat().some(({ kind }) => kind === "scored");
  const fresh = history.map(({ height, width }) => height * width);
  return { scoring: judges ? scoring : undefined, fresh, evictions, lengths };
}

/** The same plan for single heads: each does what its layer does. */
export function byHead(plan: Plan, heads: number): Plan {
  if (plan.headwise) return plan;
  const spread = <T>(layers: readonly T[]): T[] => layers.flatMap((layer) => new Array<T>(heads).fill(layer));
  return { ...plan, headwise: true, evictions: plan.evictions.map(spread), lengths: plan.lengths.map(spread) };
}

/** Tokens that an eviction leaves of `length`. */
export function lengthAfter(eviction: Eviction, length: number): number {
  switch (eviction.kind) {
    case "none":
      return length;
    case "fixed":
      return eviction.positions.length;
    case "scored":
      return eviction.capacity;
  }
}
