/** Attention and rotary embedding, by ONNX Runtime's fused operators. */
import { float } from "../attributes.js";
import type { GraphBuilder, Value } from "../builder.js";
import { MatMul, Mul, Softmax } from "./math.js";
import { Reshape, Transpose } from "./shape.js";

const MICROSOFT = { domain: "com.microsoft" };

/**
 * softmax(scale · q kᵀ) v for [batch, tokens, heads · dim] inputs. Three-dimensional keys and values without a mask are
 * what keeps ONNX Runtime on its path without a tokens × tokens score matrix (measured; see ARCHITECTURE.md).
 */
export function MultiHeadAttention(
  g: GraphBuilder,
  q: Value,
  k: Value,
  v: Value,
  { heads, scale }: { heads: number; scale: number },
): Value {
  if (!g.target.fusedAttention) return attentionByProducts(g, q, k, v, { heads, scale });
  return g.node("MultiHeadAttention", [q, k, v], { num_heads: heads, scale: float(scale) }, MICROSOFT)[0];
}

/** The same by plain operators, with all scores [batch, heads, queries, keys] in memory. */
function attentionByProducts(
  g: GraphBuilder,
  q: Value,
  k: Value,
  v: Value,
  { heads, scale }: { heads: number; scale: number },
): Value {
  const byHead = (x: Value, perm: readonly number[]): Value => Transpose(g, Reshape(g, x, [0, 0, heads, -1]), perm);
  const products = MatMul(g, byHead(q, [0, 2, 1, 3]), byHead(k, [0, 2, 3, 1]));
  const weights = Softmax(g, scale === 1 ? products : Mul(g, products, g.scalar(scale)));
  const read = Transpose(g, MatMul(g, weights, byHead(v, [0, 2, 1, 3])), [0, 2, 1, 3]);
  return Reshape(g, read, [0, 0, -1]);
}

/**
 * Rotates the pairs (2i, 2i+1) of every head of x [batch, tokens, heads · dim] by the angles whose cosines and sines
 * are given as [tokens, dim / 2] tables.
 */
export function RotaryEmbedding(g: GraphBuilder, x: Value, cos: Value, sin: Value): Value {
  const firstPosition = g.ints([0]);
  return g.node("RotaryEmbedding", [x, firstPosition, cos, sin], { interleaved: 1 }, MICROSOFT)[0];
}
