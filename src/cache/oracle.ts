/**
 * Selection in plain TypeScript: what the graph in `commit-graph.ts` computes on the device, written to be read. It
 * is the oracle of the tests, and slow.
 */
import type { Scored, Scoring } from "./policy.js";

/** One row and head. */
export interface Lane {
  /** [positions, dim], oldest first. */
  readonly keys: Float32Array;
  /** [observers, dim], by the rule's kind of query. */
  readonly queries: Float32Array;
  readonly dim: number;
  /** What the first positions were given after earlier scales, where scores add up. */
  readonly earlier?: readonly number[] | undefined;
}

/** The positions that stay, sorted. Of equal scores the older token stays. */
export function selectPositions(lane: Lane, { capacity, window }: Scored, scoring: Scoring): number[] {
  const scores = scorePositions(lane, window, scoring);
  const ranked = [...scores.keys()].sort((a, b) => (scores[a] === scores[b] ? a - b : scores[b]! - scores[a]!));
  return [...ranked.slice(0, capacity - window.length), ...window].sort((a, b) => a - b);
}

/** By what positions compete: their pooled scores, the window's −∞. */
export function scorePositions(lane: Lane, window: readonly number[], scoring: Scoring): Float64Array {
  const scores = givenScores(lane, scoring);
  const rest = scoring.exclusion === "before" ? exclude(scores, window) : scores;
  return exclude(pool(rest, scoring.pooling), window);
}

/** What each key is given: the sum of what the observers contribute to it, and of what it was given earlier. */
export function givenScores({ keys, queries, dim, earlier = [] }: Lane, { contribution }: Scoring): Float64Array {
  const positions = keys.length / dim;
  const scores = new Float64Array(positions);
  scores.set(earlier);
  for (let observer = 0; observer < queries.length / dim; observer++) {
    const query = queries.subarray(observer * dim, (observer + 1) * dim);
    const logits = Array.from({ length: positions }, (_, p) => dot(query, keys.subarray(p * dim, (p + 1) * dim)));
    const given = contribution === "weight" ? softmax(logits) : logits.map((logit) => logit / Math.sqrt(dim));
    given.forEach((value, position) => (scores[position]! += value));
  }
  return scores;
}

/** The window stays anyway and does not compete. */
function exclude(scores: Float64Array, window: readonly number[]): Float64Array {
  const rest = scores.slice();
  for (const position of window) rest[position] = -Infinity;
  return rest;
}

function pool(scores: Float64Array, { kind, size }: Scoring["pooling"]): Float64Array {
  const reach = (size - 1) / 2;
  return scores.map((_, at) => {
    const near = scores.subarray(Math.max(0, at - reach), at + reach + 1);
    return kind === "max" ? Math.max(...near) : near.reduce((sum, score) => sum + score, 0) / size;
  });
}

function softmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
