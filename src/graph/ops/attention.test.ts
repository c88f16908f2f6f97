import { describe } from "vitest";
import { at, sum, tabulate, wave } from "../../../test/support/arrays.js";
import { testOperators, type OperatorCase } from "../../../test/support/graph.js";
import * as attention from "./attention.js";

const BATCH = 2;
const TOKENS = 3;
const KEYS = 5;
const HEADS = 2;
const DIM = 4;
const SCALE = 0.7;
const Q = wave([BATCH, TOKENS, HEADS * DIM]);
const K = wave([BATCH, KEYS, HEADS * DIM], 1);
const V = wave([BATCH, KEYS, HEADS * DIM], 2);

function weightOf(batch: number, token: number, key: number, head: number): number {
  const score = (other: number): number =>
    Math.exp(SCALE * sum(DIM, (i) => at(Q, batch, token, head * DIM + i) * at(K, batch, other, head * DIM + i)));
  return score(key) / sum(KEYS, score);
}

const COS = wave([TOKENS, DIM / 2], 3);
const SIN = wave([TOKENS, DIM / 2], 4);

/** The pair (a, b) at channels 2i, 2i+1 becomes (a·cos − b·sin, a·sin + b·cos). */
function rotated(batch: number, token: number, channel: number): number {
  const pair = Math.floor((channel % DIM) / 2);
  const first = channel - (channel % 2);
  const [a, b] = [at(Q, batch, token, first), at(Q, batch, token, first + 1)];
  const [cos, sin] = [at(COS, token, pair), at(SIN, token, pair)];
  return channel % 2 === 0 ? a * cos - b * sin : a * sin + b * cos;
}

const heads: OperatorCase = {
  inputs: [Q, K, V],
  build: (g, q, k, v) => attention.MultiHeadAttention(g, q, k, v, { heads: HEADS, scale: SCALE }),
  expected: tabulate(Q.shape, (batch, token, channel) =>
    sum(KEYS, (key) => weightOf(batch, token, key, Math.floor(channel / DIM)) * at(V, batch, key, channel)),
  ),
};

describe("attention operators follow their definitions", () => {
  testOperators<keyof typeof attention>({
    MultiHeadAttention: [heads, { ...heads, target: { fusedAttention: false, loops: false } }],
    RotaryEmbedding: [
      { inputs: [Q, COS, SIN], build: attention.RotaryEmbedding, expected: tabulate(Q.shape, rotated) },
    ],
  });
});
