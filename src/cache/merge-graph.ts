/**
 * Merging in place of eviction: every token that leaves goes into the one that stays and whose key is most like its own.
 * Keys and values become means over all the tokens that one stands for. In attention a token that stands for n has ln n
 * added to its logit, so it weighs as n tokens with its key would: what the merged ones are given together stays nearly
 * the same, and only their differences are lost.
 *
 * Tokens with like keys are given like weights by every query, whatever it asks; so the loss is in the values, and small
 * where neighbours of a map look alike.
 */
import type { Value } from "../graph/builder.js";
import * as op from "../graph/ops/index.js";
import {
  biasByLane,
  byLane,
  cosinesWith,
  eachLane,
  numbersAlong,
  unitKeys,
  type Commit,
  type JudgedTokens,
} from "./lanes.js";
import { narrow, type Stored } from "./storage-graph.js";
import { FINE_TOKENS } from "./storage.js";

/** No position. */
const NOWHERE = -1;

/**
 * The tokens at `positions` [lanes, kept] with all others merged into them whose keys have at least that cosine; scores
 * add up.
 */
export function mergeAway(
  commit: Commit,
  { keys, values, scores }: JudgedTokens,
  positions: Value,
  leastCosine: number,
): JudgedTokens {
  const { g, dim, heads, width, storage } = commit;
  const [laneKeys, laneValues] = [byLane(commit, keys), byLane(commit, values)];
  const counts = op.Exp(g, biasByLane(commit, keys.bias!));
  const given = op.Transpose(g, scores, [0, 2, 1]);
  // One row a token: what is summed where tokens meet, [lanes, tokens, 2 · dim + 2].
  const rows = op.Concat(g, [op.Mul(g, laneKeys, counts), op.Mul(g, laneValues, counts), counts, given], 2);
  const lanes = [unitKeys(commit, keys), rows, positions] as const;
  const sums = eachLane(commit, lanes, 3, (unit, own, places) =>
    op.MatMul(g, nearestOf(commit, unit, places, leastCosine), own),
  );

  const [k, v, count, score] = op.Split(g, sums, 2, [dim, dim, 1, 1]) as [Value, Value, Value, Value];
  const stored = (sum: Value): Stored => {
    const mean = op.Transpose(g, op.Div(g, sum, count), [1, 0, 2]);
    return narrow(g, storage, op.Reshape(g, mean, [0, -1, width]), dim, { count: g.ints([FINE_TOKENS]) });
  };
  const bias = op.Reshape(g, op.Transpose(g, op.Log(g, count), [1, 0, 2]), [0, -1, heads]);
  return { keys: { ...stored(k), bias }, values: stored(v), scores: op.Transpose(g, score, [0, 2, 1]) };
}

/**
 * Which tokens go where, [lanes, kept, tokens]: 1 at the position whose key is most like a token's own, if it is alike
 * enough. `unit` [lanes, tokens, dim] are the keys, of length 1.
 */
function nearestOf(commit: Commit, unit: Value, positions: Value, leastCosine: number): Value {
  const { g } = commit;
  const cosines = cosinesWith(commit, unit, positions); // [lanes, tokens, kept]
  const nearest = op.Cast(g, op.ArgMax(g, cosines, 2), "float32"); // [lanes, tokens, 1]
  const alike = op.GreaterOrEqual(g, op.ReduceMax(g, cosines, 2), g.scalar(leastCosine));
  const goesTo = op.Where(g, alike, nearest, g.scalar(NOWHERE));
  const matches = op.Equal(g, goesTo, numbersAlong(g, positions, 1));
  return op.Transpose(g, op.Cast(g, matches, "float32"), [0, 2, 1]);
}
