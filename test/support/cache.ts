/**
 * Caches for tests. Keys and values lie as [tokens, rows, heads · dim], which is [tokens, lanes, dim]: a lane is one row
 * and head, numbered row · heads + head.
 */
import { expect } from "vitest";
import { decodeElements } from "../../src/checkpoint/decode.js";
import { scorePositions, selectPositions, type Lane } from "../../src/cache/oracle.js";
import type { Scored, Scoring } from "../../src/cache/policy.js";
import { spreadBasis } from "../../src/cache/storage-graph.js";
import { float16, float32, int64, int8, values, type Tensor } from "../../src/runtime/tensor.js";

/** Values between −1 and 1 that look random; a seed gives the same ones always (the generator mulberry32). */
export function noise(length: number, seed: number): Float32Array {
  const data = new Float32Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    data[i] = ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  }
  return data;
}

/** One lane of [tokens, lanes, dim], as [tokens, dim]. */
export function laneOf(data: Float32Array, lane: number, lanes: number, dim: number): Float32Array {
  const own = new Float32Array(data.length / lanes);
  for (let at = 0; at < own.length; at += dim) own.set(data.subarray(at * lanes + lane * dim).subarray(0, dim), at);
  return own;
}

/** Tokens `start` to `end` of a tensor whose first axis they are; a view of any stored type. */
export function tokensOf(tensor: Tensor, start: number, end: number): Tensor {
  const [tokens = 0, ...rest] = tensor.dims;
  const each = tensor.size / tokens;
  const { buffer, byteOffset, byteLength } = tensor.data as Float32Array;
  const first = byteOffset + (byteLength / tokens) * start;
  const [count, shape] = [each * (end - start), [end - start, ...rest]];
  if (tensor.type === "float16") return float16(new Uint16Array(buffer, first, count), shape);
  if (tensor.type === "int8") return int8(new Int8Array(buffer, first, count), shape);
  return float32(values(tensor).subarray(each * start, each * end), shape);
}

/** What stored keys or values stand for, with the scales and second bytes that int8 has, as attention reads them. */
export function widened(data: Tensor, scale?: Tensor, fine?: Tensor): Float32Array {
  if (data.type === "float32") return values(data);
  const { buffer, byteOffset, byteLength } = data.data as Uint16Array;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  const stored = Float32Array.from(decodeElements(data.type === "float16" ? "f16" : "i8", bytes));
  if (!scale) return stored;
  if (fine) for (const [i, parts] of Array.from(fine.data as Int8Array).entries()) stored[i]! += parts / 254;
  const scales = values(scale);
  const dim = stored.length / scales.length;
  const basis = spreadBasis(dim);
  return stored.map((_, i) => {
    const [head, channel] = [Math.floor(i / dim), i % dim];
    let sum = 0;
    for (let wave = 0; wave < dim; wave++) sum += stored[head * dim + wave]! * basis[channel * dim + wave]!;
    return sum * scales[head]!;
  });
}

/** Positions [lane][kept] of a graph's output [lanes, kept]. */
export function positionsOf({ dims: [lanes = 0, kept = 0], data }: Tensor): number[][] {
  const all = Array.from(data as BigInt64Array, Number);
  return Array.from({ length: lanes }, (_, lane) => all.slice(lane * kept, (lane + 1) * kept));
}

/** The inputs of a select graph that say what is chosen, for a cache of `length` tokens in all. */
export function choiceFeeds({ capacity, window }: Scored, lanes: number, length: number): Record<string, Tensor> {
  const excluded = Float32Array.from({ length }, (_, position) => (window.includes(position) ? -Infinity : 0));
  const tiled = Array.from({ length: lanes }, () => window).flat();
  return {
    window: int64(tiled, [lanes, window.length]),
    excluded: float32(excluded, [1, length]),
    others: int64([capacity - window.length], [1]),
    count: int64([capacity], [1]),
    lanes: laneNumbers(lanes),
  };
}

/** 0, 1, 2 and so on. */
export function laneNumbers(lanes: number): Tensor {
  return int64([...new Array<number>(lanes).keys()], [lanes]);
}

/**
 * Expects the positions that the oracle selects. Where a score is a sum of rounded numbers, `tolerance`, a part of the
 * largest score, says how close to the last one that stays it must be to have fallen on the other side.
 */
export function expectSelected(
  found: readonly number[],
  lane: Lane,
  eviction: Scored,
  scoring: Scoring,
  tolerance: number,
): void {
  const expected = selectPositions(lane, eviction, scoring);
  expect(found).toHaveLength(expected.length);
  const wrong = [...expected.filter((p) => !found.includes(p)), ...found.filter((p) => !expected.includes(p))];
  if (wrong.length === 0 || tolerance === 0) {
    expect(found).toEqual(expected);
    return;
  }
  const scores = scorePositions(lane, eviction.window, scoring);
  const finite = scores.filter(Number.isFinite).map(Math.abs);
  const last = Math.min(...expected.filter((p) => !eviction.window.includes(p)).map((p) => scores[p]!));
  const closeness = tolerance * Math.max(...finite);
  for (const position of wrong) expect(Math.abs(scores[position]! - last)).toBeLessThanOrEqual(closeness);
}
