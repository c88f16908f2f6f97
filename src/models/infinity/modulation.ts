/** How the text scales, shifts and gates what goes through a block. */
import type { Value } from "../../graph/builder.js";
import * as op from "../../graph/ops/index.js";
import type { Block } from "./block.js";
import { NORM_EPSILON } from "./config.js";

/** What the text makes of a block, [rows, 1, C] each. */
export interface Modulation {
  readonly gamma1: Value;
  readonly gamma2: Value;
  /** 1 + what was learned. */
  readonly scale1: Value;
  readonly scale2: Value;
  readonly shift1: Value;
  readonly shift2: Value;
}

/** The shared modulation plus the block's own. */
export function modulation({ g, config, weight }: Block): Modulation {
  const shared = g.input("modulation", "float32", ["rows", 6, config.width]);
  const own = op.Reshape(g, weight("ada_gss"), [1, 6, config.width]);
  const parts = op.Split(g, op.Add(g, shared, own), 1, [1, 1, 1, 1, 1, 1]);
  const [gamma1, gamma2, scale1, scale2, shift1, shift2] = parts as [Value, Value, Value, Value, Value, Value];
  const one = g.scalar(1);
  return { gamma1, gamma2, scale1: op.Add(g, scale1, one), scale2: op.Add(g, scale2, one), shift1, shift2 };
}

/** Layer norm without weights of its own, then · scale + shift by row. */
export function adaptiveNorm({ g, config }: Block, x: Value, scale: Value, shift: Value): Value {
  return op.AdaptiveLayerNormalization(g, x, scale, shift, { width: config.width, epsilon: NORM_EPSILON });
}
