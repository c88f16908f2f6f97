/**
 * Choosing tokens that are worth keeping and unlike each other. The best by score alone are neighbours that look alike, of
 * which one would do. In the literature such a choice is made one by one (farthest points first); here it is made in a few
 * rounds, each of which knows what those before it chose.
 */
import type { Value } from "../graph/builder.js";
import * as op from "../graph/ops/index.js";
import { cosinesWith, eachLane, ITSELF, type Commit } from "./lanes.js";

/**
 * Positions [lanes, kept], the window's first: `unit` [lanes, tokens, dim] are the keys, of length 1, `scores` [lanes,
 * tokens] what they were given, from 0, `window` [lanes, window] not empty, `others` [rounds] how many each round adds.
 */
export function chooseUnlike(
  commit: Commit,
  { unit, scores, window, others }: Record<"unit" | "scores" | "window" | "others", Value>,
  rounds: number,
): Value {
  const { g } = commit;
  const chosen = eachLane(commit, [unit, op.Sqrt(g, scores), window], 2, (keys, worth, first) => {
    const rows: Value[] = [first];
    let nearest = largestCosine(commit, keys, first);
    for (let round = 0; round < rounds; round++) {
      const value = op.Mul(g, worth, op.Sub(g, g.scalar(1), nearest));
      const open = op.Where(g, op.Equal(g, nearest, g.scalar(ITSELF)), g.scalar(-Infinity), value);
      const added = op.TopK(g, open, op.Slice(g, others, 0, round, round + 1)).indices;
      rows.push(added);
      // With the window, since of no tokens there is no largest.
      const known = op.Concat(g, [first, added], 1);
      if (round + 1 < rounds) nearest = op.Max(g, nearest, largestCosine(commit, keys, known));
    }
    return op.Cast(g, op.Concat(g, rows, 1), "float32");
  });
  return op.Cast(g, chosen, "int64");
}

/** Of every token the largest cosine with those at `positions`, [lanes, tokens]. */
function largestCosine(commit: Commit, unit: Value, positions: Value): Value {
  const { g } = commit;
  return op.Squeeze(g, op.ReduceMax(g, cosinesWith(commit, unit, positions), 2), [2]);
}

/** How many tokens each round adds, of `others` in all: equally many, a remainder in the last rounds. */
export function roundSizes(others: number, rounds: number): number[] {
  const sizes: number[] = [];
  for (let left = others; sizes.length < rounds; left -= sizes.at(-1)!) {
    sizes.push(Math.floor(left / (rounds - sizes.length)));
  }
  return sizes;
}
