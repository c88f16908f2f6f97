/**
 * Which layers are drafters and which refiners (ScaleKV, arXiv 2505.19602). A layer that looks mostly at its own map,
 * and in the history at a few tokens only, loses little when the rest goes: a refiner. One that spreads its attention
 * over the scales behind it needs them: a drafter. The Attention Selectivity Index is high for the former.
 */
import { OptionError } from "../errors.js";

/** What a layer does at a scale; `null` where there is nothing to decide: at scale 0, and where nothing is evicted. */
export type Role = "drafter" | "refiner";

/** One value for every layer and scale, [layer][scale]; `null` at scale 0, which has no history. */
export type Scores = readonly (readonly (number | null)[])[];

/** Roles of every layer and scale, [layer][scale]: how layer `l` reads the history while scale `k` is drawn. */
export type Roles = readonly (readonly (Role | null)[])[];

/** Measured attention, [layer][scale]: means over the sampled queries of all heads, rows and prompts, each 0 to 1. */
export interface AttentionMeans {
  /** Attention that stays in the current map. */
  readonly current: readonly (readonly number[])[];
  /** Sum of the K′ largest weights on the history; what stands at scale 0 is not read. */
  readonly history: readonly (readonly number[])[];
}

/**
 * Drafters among all pairs of a layer and a compressed scale, where nothing else is asked for. The published 10 %
 * tables name 9 of 160 pairs (2B) and 15 of 200 (8B): 24 of 360.
 */
export const DRAFTER_SHARE = 24 / 360;

/**
 * The Attention Selectivity Index (Eq. 2): current-map ratio × top-K′ history sum, [layer][scale].
 *
 * @throws OptionError where the two tables differ in shape or hold anything but shares from 0 to 1
 */
export function attentionSelectivity({ current, history }: AttentionMeans): Scores {
  const scales = current[0]?.length ?? 0;
  if (history.length !== current.length) {
    throw new OptionError(`attention: ${history.length} layers of history, ${current.length} of current maps`);
  }
  return current.map((row, layer) => {
    const past = history[layer] ?? [];
    if (row.length !== scales || past.length !== scales) {
      throw new OptionError(`attention: layer ${layer} has ${row.length} and ${past.length} scales, not ${scales}`);
    }
    return row.map((share, scale) => (scale === 0 ? null : checkedShare(share) * checkedShare(past[scale] ?? NaN)));
  });
}

/** Sums of softmax weights may pass 1 by a few units of float32's last place. */
function checkedShare(share: number): number {
  if (!(share >= 0 && share <= 1 + 1e-4)) throw new OptionError(`attention ${share}: not a share from 0 to 1`);
  return share;
}

/**
 * Scores as standard deviations from the mean of their scale (Eq. 3), [layer][scale]: scales differ more from each
 * other than layers do. The deviation is that of the layers at hand (divided by their number); where all agree it
 * is 0, and so is every score.
 */
export function zScores(scores: Scores): Scores {
  const scales = scores[0]?.length ?? 0;
  const perScale = Array.from({ length: scales }, (_, scale) => scaleMoments(scores, scale));
  return scores.map((row) =>
    row.map((score, scale) => {
      const { mean, deviation } = perScale[scale] ?? { mean: 0, deviation: 0 };
      if (score === null) return null;
      return deviation === 0 ? 0 : (score - mean) / deviation;
    }),
  );
}

/** Mean and standard deviation over the layers at one scale. */
function scaleMoments(scores: Scores, scale: number): { mean: number; deviation: number } {
  const values = scores.flatMap((row) => row[scale] ?? []);
  const mean = average(values);
  // Equal values must give exactly 0, which a rounded mean would spoil.
  if (values.every((value) => value === values[0])) return { mean, deviation: 0 };
  return { mean, deviation: Math.sqrt(average(values.map((value) => (value - mean) ** 2))) };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** How many drafters to name, and among which scales. */
export interface DrafterChoice {
  /** N_d, counted over all layers and scales; by default {@link DRAFTER_SHARE} of the pairs, rounded. */
  readonly drafters?: number;
  /** The first scale that reads an evicted cache; earlier ones have no role. Default 1, as in the paper. */
  readonly firstScale?: number;
}

/**
 * Roles, [layer][scale]: the N_d pairs with the lowest Z-scores are drafters, all others refiners. Equal scores go to
 * the lower layer first, then to the lower scale.
 *
 * @throws OptionError for more drafters than pairs
 */
export function assignRoles(z: Scores, { drafters, firstScale = 1 }: DrafterChoice = {}): Roles {
  const pairs = z.flatMap((row, layer) =>
    row.flatMap((score, scale) => (score === null || scale < firstScale ? [] : [{ score, layer, scale }])),
  );
  const count = drafters ?? Math.round(DRAFTER_SHARE * pairs.length);
  if (!(Number.isInteger(count) && count >= 0 && count <= pairs.length)) {
    throw new OptionError(`drafters ${count}: not a whole number from 0 to ${pairs.length} pairs of layer and scale`);
  }
  const ranked = pairs.toSorted((a, b) => a.score - b.score || a.layer - b.layer || a.scale - b.scale);
  const chosen = new Set(ranked.slice(0, count).map(({ layer, scale }) => `${layer} ${scale}`));
  return z.map((row, layer) =>
    row.map((score, scale) => {
      if (score === null || scale < firstScale) return null;
      return chosen.has(`${layer} ${scale}`) ? "drafter" : "refiner";
    }),
  );
}
