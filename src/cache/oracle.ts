/**
 * Selection and merging in plain TypeScript: what the graphs in `commit-graph.ts` compute on the device, written to be
 * read. It is the oracle of the tests, and slow.
 */
import type { Scored, Scoring } from "./policy.js";
import { roundSizes } from "./unlike-graph.js";

/** One row and head. */
export interface Lane {
  /** [positions, dim], oldest first. */
  readonly keys: Float32Array;
  /** [observers, dim], by the rule's kind of query. */
  readonly queries: Float32Array;
  readonly dim: number;
  /** What the first positions were given after earlier scales, where scores add up. */
  readonly earlier?: readonly number[] | undefined;
  /** How many tokens each stands for; default 1. */
  readonly counts?: readonly number[] | undefined;
}

/** The positions that stay, sorted. Of equal scores the older token stays. */
export function selectPositions(lane: Lane, { capacity, window }: Scored, scoring: Scoring): number[] {
  const others = capacity - window.length;
  const chosen = scoring.rounds
    ? chooseUnlike(lane, window, roundSizes(others, scoring.rounds), scoring)
    : [...best(scorePositions(lane, window, scoring), others), ...window];
  return chosen.sort((a, b) => a - b);
}

/** Positions of the `count` largest, of equals the first. */
function best(scores: Float64Array, count: number): number[] {
  const ranked = [...scores.keys()].sort((a, b) => (scores[a] === scores[b] ? a - b : scores[b]! - scores[a]!));
  return ranked.slice(0, count);
}

/** The window and, round by round, those of high score that are unlike all chosen before. */
function chooseUnlike(lane: Lane, window: readonly number[], sizes: readonly number[], scoring: Scoring): number[] {
  const scores = pool(givenScores(lane, scoring), scoring.pooling);
  const chosen = [...window];
  for (const size of sizes) chosen.push(...best(worthOf(lane, scores, chosen), size));
  return chosen;
}

/** √score · (1 − the largest cosine with a chosen key); −∞ for the chosen themselves. */
export function worthOf(lane: Lane, scores: Float64Array, chosen: readonly number[]): Float64Array {
  return scores.map((score, position) => {
    if (chosen.includes(position)) return -Infinity;
    return Math.sqrt(score) * (1 - Math.max(...chosen.map((other) => cosine(lane, position, other))));
  });
}

/** Tokens of a lane: [tokens, dim] each, and how many each stands for. */
export interface MergedTokens {
  readonly keys: Float32Array;
  readonly values: Float32Array;
  readonly counts: readonly number[];
  /** What all that one stands for were given. */
  readonly scores: readonly number[];
}

/** The tokens at `positions`, each with those merged into it whose keys are most like its own, and alike enough. */
export function mergeTokens(
  tokens: MergedTokens,
  positions: readonly number[],
  { dim, leastCosine }: { dim: number; leastCosine: number },
): MergedTokens {
  const { counts, scores } = tokens;
  const lane = { keys: tokens.keys, dim };
  const into = [...counts.keys()].map((token) => nearestOf(lane, token, positions, leastCosine));
  const gather = <T>(work: (members: readonly number[]) => T): T[] =>
    positions.map((_, place) => work([...into.keys()].filter((token) => into[token] === place)));
  const mean = (data: Float32Array) => (members: readonly number[]) =>
    Array.from({ length: dim }, (_, i) => {
      const sum = total(members.map((token) => counts[token]! * data[token * dim + i]!));
      return sum / total(members.map((token) => counts[token]!));
    });
  return {
    keys: Float32Array.from(gather(mean(tokens.keys)).flat()),
    values: Float32Array.from(gather(mean(tokens.values)).flat()),
    counts: gather((members) => total(members.map((token) => counts[token]!))),
    scores: gather((members) => total(members.map((token) => scores[token]!))),
  };
}

/** The place in `positions` of the key most like a token's own: itself where it is there, none where nothing is alike. */
function nearestOf(
  lane: Pick<Lane, "keys" | "dim">,
  token: number,
  positions: readonly number[],
  leastCosine: number,
): number | undefined {
  if (positions.includes(token)) return positions.indexOf(token);
  const cosines = positions.map((position) => cosine(lane, token, position));
  const largest = Math.max(...cosines);
  return largest >= leastCosine ? cosines.indexOf(largest) : undefined;
}

function cosine({ keys, dim }: Pick<Lane, "keys" | "dim">, a: number, b: number): number {
  const key = (position: number): Float32Array => keys.subarray(position * dim, (position + 1) * dim);
  return dot(key(a), key(b)) / Math.sqrt(dot(key(a), key(a)) * dot(key(b), key(b)));
}

/** By what positions compete: their pooled scores, the window's −∞. */
export function scorePositions(lane: Lane, window: readonly number[], scoring: Scoring): Float64Array {
  const scores = givenScores(lane, scoring);
  const rest = scoring.exclusion === "before" ? exclude(scores, window) : scores;
  return exclude(pool(rest, scoring.pooling), window);
}

/** What each key is given: the sum of what the observers contribute to it, and of what it was given earlier. */
export function givenScores(lane: Lane, { contribution }: Scoring): Float64Array {
  const { keys, queries, dim, earlier = [], counts } = lane;
  const positions = keys.length / dim;
  const scores = new Float64Array(positions);
  scores.set(earlier);
  for (let observer = 0; observer < queries.length / dim; observer++) {
    const query = queries.subarray(observer * dim, (observer + 1) * dim);
    const logit = (p: number): number => dot(query, keys.subarray(p * dim, (p + 1) * dim)) + Math.log(counts?.[p] ?? 1);
    const logits = Array.from({ length: positions }, (_, p) => logit(p));
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

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}
