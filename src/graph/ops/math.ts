/** Arithmetic, matrix products, activations, reductions. Each function appends the operator it is named after. */
import { float } from "../attributes.js";
import type { GraphBuilder, Value } from "../builder.js";
import { ELEMENT_TYPES, type ElementType } from "../model.js";

const MICROSOFT = { domain: "com.microsoft" };

/** a + b, broadcast. */
export const Add = (g: GraphBuilder, a: Value, b: Value): Value => g.node("Add", [a, b])[0];

/** a − b, broadcast. */
export const Sub = (g: GraphBuilder, a: Value, b: Value): Value => g.node("Sub", [a, b])[0];

/** a · b element by element, broadcast. */
export const Mul = (g: GraphBuilder, a: Value, b: Value): Value => g.node("Mul", [a, b])[0];

/** a / b element by element, broadcast. */
export const Div = (g: GraphBuilder, a: Value, b: Value): Value => g.node("Div", [a, b])[0];

/** eˣ. */
export const Exp = (g: GraphBuilder, x: Value): Value => g.node("Exp", [x])[0];

/** √x. */
export const Sqrt = (g: GraphBuilder, x: Value): Value => g.node("Sqrt", [x])[0];

/** ln x. */
export const Log = (g: GraphBuilder, x: Value): Value => g.node("Log", [x])[0];

/** 1 / (1 + e⁻ˣ). */
export const Sigmoid = (g: GraphBuilder, x: Value): Value => g.node("Sigmoid", [x])[0];

/** max(x, 0). */
export const Relu = (g: GraphBuilder, x: Value): Value => g.node("Relu", [x])[0];

/** The smaller of a and b, element by element. */
export const Min = (g: GraphBuilder, a: Value, b: Value): Value => g.node("Min", [a, b])[0];

/** The largest of values, element by element. */
export const Max = (g: GraphBuilder, ...values: readonly [Value, ...Value[]]): Value => g.node("Max", values)[0];

/** Whether a = b, element by element, broadcast. */
export const Equal = (g: GraphBuilder, a: Value, b: Value): Value => g.node("Equal", [a, b])[0];

/** Whether a ≥ b, element by element, broadcast. */
export const GreaterOrEqual = (g: GraphBuilder, a: Value, b: Value): Value => g.node("GreaterOrEqual", [a, b])[0];

/** a where the condition holds, b elsewhere, broadcast. */
export const Where = (g: GraphBuilder, condition: Value, a: Value, b: Value): Value =>
  g.node("Where", [condition, a, b])[0];

/** −x. */
export const Neg = (g: GraphBuilder, x: Value): Value => g.node("Neg", [x])[0];

/** |x|. */
export const Abs = (g: GraphBuilder, x: Value): Value => g.node("Abs", [x])[0];

/** The nearest whole number, halves to the even one. */
export const Round = (g: GraphBuilder, x: Value): Value => g.node("Round", [x])[0];

/** Batched matrix product [..., m, k] × [..., k, n]. */
export const MatMul = (g: GraphBuilder, a: Value, b: Value): Value => g.node("MatMul", [a, b])[0];

/** x [n, in] × weightᵀ [out, in] + bias [out]: a linear layer's weight as PyTorch stores it. */
export function Gemm(g: GraphBuilder, x: Value, weight: Value, bias?: Value): Value {
  return g.node("Gemm", [x, weight, bias], { transB: 1 })[0];
}

/** x [..., in] × weightᵀ [out, in]: the product of {@link Gemm} for any number of axes, for processors. */
export function TransposedMatMul(g: GraphBuilder, x: Value, weight: Value): Value {
  return g.node("FusedMatMul", [x, weight], { transB: 1 }, { domain: "com.microsoft" })[0];
}

/** Softmax along one axis. */
export const Softmax = (g: GraphBuilder, x: Value, axis = -1): Value => g.node("Softmax", [x], { axis })[0];

/** x limited to [low, high]. */
export function Clip(g: GraphBuilder, x: Value, low: number, high: number): Value {
  return g.node("Clip", [x, g.scalar(low), g.scalar(high)])[0];
}

/** GELU, with the tanh approximation, of x + bias [channels]. */
export const FastGelu = (g: GraphBuilder, x: Value, bias?: Value): Value =>
  g.node("FastGelu", [x, bias], {}, MICROSOFT)[0];

/** SiLU, x · sigmoid(x), in one pass. */
export const Silu = (g: GraphBuilder, x: Value): Value => g.node("QuickGelu", [x], { alpha: float(1) }, MICROSOFT)[0];

/** Another element type. */
export const Cast = (g: GraphBuilder, x: Value, to: ElementType): Value =>
  g.node("Cast", [x], { to: ELEMENT_TYPES[to] })[0];
