/** A linear layer on [rows, tokens, channels]. */
import type { BlockWeight, GraphBuilder, HalfWeight, Matrix, RowWeight, Value } from "../builder.js";
import { UNSIGNED_ZERO } from "../quantize/rows.js";
import { Add, Cast, Gemm, Max, Mul, Neg, TransposedMatMul } from "./math.js";
import { MatMulIntegerToFloat, QuantizeLinear } from "./quantization.js";
import { ReduceMax, ReduceMin } from "./reduction.js";
import { Concat, Expand, Flatten, ReshapeTo, Shape, Slice } from "./shape.js";

/** What is known of a linear layer's input, and what its output is to be. */
export interface LinearOptions {
  /** x comes in the type in which the graph multiplies (`g.work`) instead of in float32. */
  readonly xInWork?: boolean | undefined;
  /** The result goes in that type. */
  readonly yInWork?: boolean | undefined;
  /** No number of x is below this one. */
  readonly xLeast?: number | undefined;
}

/** x [rows, tokens, in] × weightᵀ [out, in] + bias [out], which is float32. */
export function Linear(g: GraphBuilder, x: Value, weight: Matrix, bias?: Value, options: LinearOptions = {}): Value {
  if (g.work === "float16" && ("half" in weight || "bits" in weight)) return halfLinear(g, x, weight, bias, options);
  if ("half" in weight) throw new Error(`${g.name}: a float16 matrix in a graph that multiplies in float32`);
  if (!("levels" in weight)) return denseLinear(g, x, weight, bias);
  return "bits" in weight ? blockLinear(g, x, weight, bias) : rowLinear(g, x, weight, bias, options);
}

/**
 * In float16, on two axes: with more, ONNX Runtime would not use a GPU's units for whole matrices. Its kernels also add up
 * in float16, so of 2048 products about 1.7·10⁻³ of their sum is lost where such units add 16 at a time, and 7·10⁻³ where
 * they are added one by one (docs/LOG.md).
 */
function halfLinear(
  g: GraphBuilder,
  x: Value,
  weight: HalfWeight | BlockWeight,
  bias: Value | undefined,
  { xInWork = false, yInWork = false }: LinearOptions,
): Value {
  const tokens = xInWork ? fold(g, x) : g.shared(`halves of ${x.name}`, () => Cast(g, fold(g, x), "float16"));
  const added = bias && g.castAtLoad(bias, "float16");
  const y =
    "half" in weight
      ? Gemm(g, tokens, weight.half, added)
      : blockLinear(g, tokens, { ...weight, scales: g.castAtLoad(weight.scales, "float16") }, added);
  return unfold(g, yInWork ? y : Cast(g, y, "float32"), x);
}

/**
 * On a device by Gemm, which adds the bias in the same pass, but takes two axes, so the first two are folded. On a processor
 * that pass copies the bias on one core, and folding may copy x: a product of three axes and an addition take less time.
 */
function denseLinear(g: GraphBuilder, x: Value, weight: Value, bias?: Value): Value {
  if (!g.target.loops) return unfold(g, Gemm(g, fold(g, x), weight, bias), x);
  const product = TransposedMatMul(g, x, weight);
  return bias ? Add(g, product, bias) : product;
}

/** The first two axes of x as one, made once for all matrices that multiply it; reshapes move no data. */
function fold(g: GraphBuilder, x: Value): Value {
  return g.shared(`tokens of ${x.name}`, () => Flatten(g, x, 2));
}

/** Brings back the first two axes of x, which a product folded. */
function unfold(g: GraphBuilder, flat: Value, x: Value): Value {
  const axes = g.shared(`axes of ${x.name}`, () => Concat(g, [Slice(g, Shape(g, x), 0, 0, 2), g.ints([-1])], 0));
  return ReshapeTo(g, flat, axes);
}

/** The product's rows, too, are cut into blocks of 8-bit levels while it is computed, so that integers are multiplied. */
const INTEGER_ACCURACY = 4;

function blockLinear(
  g: GraphBuilder,
  x: Value,
  { levels, scales, rows, columns, bits, block }: BlockWeight,
  bias?: Value,
): Value {
  const attributes = { K: columns, N: rows, bits, block_size: block, accuracy_level: INTEGER_ACCURACY };
  const inputs = [x, levels, scales, undefined, undefined, bias];
  return g.node("MatMulNBits", inputs, attributes, { domain: "com.microsoft" })[0];
}

/** The largest level of a token, on either side of zero's. */
const LARGEST = 127;

/** Far below what a token's largest channel could be, so that a token of zeros has levels. */
const SMALLEST = 1e-30;

/**
 * Every token's channels, too, become 8-bit levels with a scale of its own, so that what comes of a token depends on no
 * other, and on no image drawn beside it. Matrices that multiply the same x share its levels.
 */
function rowLinear(
  g: GraphBuilder,
  x: Value,
  { levels, scales, columns, zero }: RowWeight,
  bias: Value | undefined,
  { xLeast }: LinearOptions,
): Value {
  const scale = g.shared(`scale of ${x.name}`, () => tokenScale(g, x, xLeast));
  const tokens = g.shared(`levels of ${x.name}`, () => {
    const zeros = Expand(g, g.constant("uint8", [], Uint8Array.of(UNSIGNED_ZERO)), Shape(g, scale));
    return QuantizeLinear(g, x, scale, zeros, columns);
  });
  const ofTokens = { values: tokens, zero: UNSIGNED_ZERO };
  const product = Mul(g, MatMulIntegerToFloat(g, ofTokens, { values: levels, zero }, scales), scale);
  return bias ? Add(g, product, bias) : product;
}

/** What a level of each token of x [rows, tokens, channels] stands for, [rows, tokens, 1]. */
function tokenScale(g: GraphBuilder, x: Value, least: number | undefined): Value {
  const below = least === undefined ? Neg(g, ReduceMin(g, x, 2)) : g.scalar(-least);
  const largest = Max(g, ReduceMax(g, x, 2), below, g.scalar(SMALLEST));
  return Mul(g, largest, g.scalar(1 / LARGEST));
}
