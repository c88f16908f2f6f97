/** What comes after self-attention: a gated projection, the text, the MLP. */
import type { Value } from "../../graph/builder.js";
import * as op from "../../graph/ops/index.js";
import type { Block } from "./block.js";
import { byPieces } from "./by-pieces.js";
import { adaptiveNorm, type Modulation } from "./modulation.js";
import { textAttention, textInputs } from "./text-attention.js";

/** The state behind the block, given the one before it and what was read. */
export function behindAttention(
  block: Block,
  x: Value,
  seen: Value,
  { gamma1, gamma2, scale2, shift2 }: Modulation,
): Value {
  const { g, weight, matrix } = block;
  const text = textInputs(block);
  const { byToken } = byPieces(g, [x, seen], (piece, [before, read]) => {
    const { rows } = piece;
    const attended = g.part("projections", () =>
      op.Linear(g, read!, matrix("sa.proj.weight"), weight("sa.proj.bias"), {
        xInWork: block.attention === "float16",
      }),
    );
    const afterSelf = op.Add(g, before!, op.Mul(g, attended, rows(gamma1)));
    const told = g.part("text", () => textAttention(block, afterSelf, text, piece));
    const afterText = op.Add(g, afterSelf, told);
    const normed = adaptiveNorm(block, afterText, rows(scale2), rows(shift2));
    const fed = g.part("mlp", () => feedForward(block, normed));
    return { byToken: [op.Add(g, afterText, op.Mul(g, fed, rows(gamma2)))], picked: [] };
  });
  return byToken[0]!;
}

/** No number's GELU is below this: the least is −0.1700, of −0.752. */
const LEAST_GELU = -0.171;

/** The MLP, tanh GELU between its two layers; it adds the first one's bias, which a product on a processor copies first. */
function feedForward({ g, weight, matrix }: Block, x: Value): Value {
  const hidden = op.Linear(g, x, matrix("ffn.fc1.weight"), undefined, { yInWork: true });
  const activated = op.FastGelu(g, hidden, g.castAtLoad(weight("ffn.fc1.bias"), g.work));
  return op.Linear(g, activated, matrix("ffn.fc2.weight"), weight("ffn.fc2.bias"), {
    xInWork: true,
    xLeast: LEAST_GELU,
  });
}
