import fc from "fast-check";
import { expect, it } from "vitest";
import { laneOf, noise } from "../../test/support/cache.js";
import { runModel } from "../../test/support/graph.js";
import { CPU_TARGET } from "../graph/model.js";
import { float32, int64, values } from "../runtime/tensor.js";
import { buildStatistics } from "./statistics-graph.js";

/** Sums of at most 30 float32 weights that are 1 in all. */
const TOLERANCE = 1e-5;

interface Case {
  readonly rows: number;
  readonly heads: number;
  readonly observers: number;
  /** Tokens of every scale; the last one is the current. */
  readonly scales: readonly number[];
  readonly top: number;
  readonly seed: number;
}

const DIM = 4;

const cases = fc.record({
  rows: fc.integer({ min: 1, max: 3 }),
  heads: fc.integer({ min: 1, max: 3 }),
  observers: fc.integer({ min: 1, max: 5 }),
  scales: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 5 }),
  top: fc.integer({ min: 1, max: 2 }),
  seed: fc.integer(),
});

it("spreads the observers' attention over source scales, as the formula says, lane by lane", () =>
  fc.assert(
    fc.asyncProperty(cases, async (one) => {
      const { mass, best, variance, expected } = await measured(one);
      for (const [lane, { onScale, onBest, varies }] of expected.entries()) {
        onScale.forEach((share, i) =>
          expect(Math.abs(mass[lane * onScale.length + i]! - share)).toBeLessThan(TOLERANCE),
        );
        expect(Math.abs(best[lane]! - onBest)).toBeLessThan(TOLERANCE);
        expect(Math.abs(variance[lane]! - varies)).toBeLessThan(TOLERANCE);
      }
    }),
    { numRuns: 40 },
  ));

/** Runs the graph and the oracle on the same keys and queries. */
async function measured({ rows, heads, observers, scales, top, seed }: Case): Promise<{
  mass: Float32Array;
  best: Float32Array;
  variance: Float32Array;
  expected: LaneStatistics[];
}> {
  const width = heads * DIM;
  const all = scales.reduce((sum, tokens) => sum + tokens, 0);
  const past = all - scales.at(-1)!;
  // Large enough for weights that are far from equal.
  const keys = noise(all * rows * width, seed).map((value) => 2 * value);
  const queries = noise(observers * rows * width, seed + 1).map((value) => 2 * value);
  const sourceOf = scales.flatMap((tokens, scale) => new Array<number>(tokens).fill(scale));
  const sources = sourceOf.flatMap((source) => scales.map((_, scale) => (scale === source ? 1 : 0)));
  const model = await buildStatistics({ heads, dim: DIM, storage: "fp32", target: CPU_TARGET });
  const cut = past * rows * width;
  const { mass, best, variance } = await runModel(model, {
    past_k: float32(keys.subarray(0, cut), [past, rows, width]),
    new_k: float32(keys.subarray(cut), [all - past, rows, width]),
    observed: float32(queries, [observers, rows, width]),
    sources: float32(Float32Array.from(sources), [all, scales.length]),
    past: float32(new Float32Array(all).fill(1, 0, past), [all]),
    top: int64([Math.min(top, past)], [1]),
  });
  const lanes = rows * heads;
  const expected = Array.from({ length: lanes }, (_, lane) =>
    laneStatistics(laneOf(keys, lane, lanes, DIM), laneOf(queries, lane, lanes, DIM), sourceOf, top),
  );
  expect([mass!.dims, best!.dims, variance!.dims]).toEqual([
    [lanes, 1, scales.length],
    [lanes, 1, 1],
    [lanes, 1, 1],
  ]);
  return { mass: values(mass!), best: values(best!), variance: values(variance!), expected };
}

interface LaneStatistics {
  readonly onScale: number[];
  readonly onBest: number;
  readonly varies: number;
}

/**
 * The formula: means over the observers of the weights on every scale, and of the best on any but the last; the sum over
 * keys of the weights' variance.
 */
function laneStatistics(
  keys: Float32Array,
  queries: Float32Array,
  sourceOf: readonly number[],
  top: number,
): LaneStatistics {
  const current = sourceOf.at(-1)!;
  const onScale = new Array<number>(current + 1).fill(0);
  const observers = queries.length / DIM;
  let onBest = 0;
  const rows: number[][] = [];
  for (let observer = 0; observer < observers; observer++) {
    const powers = sourceOf.map((_, token) => {
      let logit = 0;
      for (let i = 0; i < DIM; i++) logit += queries[observer * DIM + i]! * keys[token * DIM + i]!;
      return Math.exp(logit);
    });
    const total = powers.reduce((sum, power) => sum + power, 0);
    const weights = powers.map((power) => power / total);
    rows.push(weights);
    weights.forEach((weight, token) => (onScale[sourceOf[token]!]! += weight / observers));
    const history = weights.filter((_, token) => sourceOf[token] !== current).sort((a, b) => b - a);
    onBest += history.slice(0, top).reduce((sum, weight) => sum + weight, 0) / observers;
  }
  const varies = sourceOf.reduce((sum, _, token) => {
    const mean = rows.reduce((total, row) => total + row[token]!, 0) / observers;
    return sum + rows.reduce((total, row) => total + (row[token]! - mean) ** 2, 0) / observers;
  }, 0);
  return { onScale, onBest, varies };
}
