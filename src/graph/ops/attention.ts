/** Attention and rotary embedding, by ONNX Runtime's fused operators. */
import { float } from "../attributes.js";
import type { GraphBuilder, Value } from "../builder.js";

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
  return g.node("MultiHeadAttention", [q, k, v], { num_heads: heads, scale: float(scale) }, MICROSOFT)[0];
}

/**
 * Rotates the pairs (2i, 2i+1) of every head of x [batch, tokens, heads · dim] by the angles whose cosines and sines
 * are given as [tokens, dim / 2] tables.
 */
export function RotaryEmbedding(g: GraphBuilder, x: Value, cos: Value, sin: Value): Value {
  const firstPosition = g.ints([0]);
  return g.node("RotaryEmbedding", [x, firstPosition, cos, sin], { interleaved: 1 }, MICROSOFT)[0];
}
