/**
 * Attention of the image's tokens to the text. Texts of a batch are padded to a common length, and no row may read its
 * padding. A device that can loop attends row by row to the row's own tokens alone, without a matrix of scores; elsewhere
 * scores are plain products with a bias, no larger than the MLP's hidden layer, as a text is short (at most 512 tokens).
 */
import type { Value } from "../../graph/builder.js";
import * as op from "../../graph/ops/index.js";
import type { Block } from "./block.js";
import type { Piece } from "./by-pieces.js";
import { NORM_EPSILON } from "./config.js";

/** What rows read. */
export interface Text {
  /** [rows, text, C], divided by √dim. */
  readonly keys: Value;
  /** [rows, text, C]. */
  readonly values: Value;
  readonly bounds: RowBounds | ScoreBias;
}

/** With loops: where each row's text begins in keys and values, and where it ends, by row and token, [rows, 2] each. */
interface RowBounds {
  readonly starts: Value;
  readonly ends: Value;
}

/** Without: what is added to each row's scores, [rows, 1, 1, text]. */
interface ScoreBias {
  readonly bias: Value;
}

/** Declares the graph's inputs for it. */
export function textInputs({ g, config: { width } }: Block): Text {
  const [keys, values] = ["text_k", "text_v"].map((name) => g.input(name, "float32", ["rows", "text", width]));
  const edge = (name: string): Value => g.input(name, "int64", ["rows", 2]);
  const bounds = g.target.loops
    ? { starts: edge("text_starts"), ends: edge("text_ends") }
    : { bias: g.input("text_bias", "float32", ["rows", 1, 1, "text"]) };
  return { keys: keys!, values: values!, bounds };
}

/** What the tokens x [rows, tokens, C] of a piece read of the text. */
export function textAttention(block: Block, x: Value, text: Text, { rows }: Piece): Value {
  const { g, weight, matrix } = block;
  const normed = op.LayerNormalization(g, x, weight("ca_norm.weight"), weight("ca_norm.bias"), NORM_EPSILON);
  const q = op.Linear(g, normed, matrix("ca.mat_q.weight"), weight("ca.mat_q.bias"));
  const { bounds } = text;
  const read =
    "bias" in bounds
      ? readByProducts(block, q, text, bounds.bias)
      : readByRow(block, q, text, [rows(bounds.starts), rows(bounds.ends)]);
  return op.Linear(g, read, matrix("ca.proj.weight"), weight("ca.proj.bias"));
}

function readByRow({ g, config: { heads } }: Block, q: Value, text: Text, edges: readonly [Value, Value]): Value {
  const [read] = g.scan([q, ...edges], 3, (entries) => {
    const [own, start, end] = entries as [Value, Value, Value];
    const [keys, values] = [text.keys, text.values].map((value) => op.SliceTo(g, value, start, end)) as [Value, Value];
    return [op.MultiHeadAttention(g, op.Unsqueeze(g, own, [0]), keys, values, { heads, scale: 1 })];
  });
  return op.Squeeze(g, read!, [1]);
}

function readByProducts({ g, config: { width, heads } }: Block, q: Value, text: Text, bias: Value): Value {
  const byHead = (x: Value, perm: readonly number[]): Value =>
    op.Transpose(g, op.Reshape(g, x, [0, 0, heads, width / heads]), perm);
  const scores = op.MatMul(g, byHead(q, [0, 2, 1, 3]), byHead(text.keys, [0, 2, 3, 1]));
  const weights = op.Softmax(g, op.Add(g, scores, bias));
  const read = op.MatMul(g, weights, byHead(text.values, [0, 2, 1, 3]));
  return op.Reshape(g, op.Transpose(g, read, [0, 2, 1, 3]), [0, 0, width]);
}
