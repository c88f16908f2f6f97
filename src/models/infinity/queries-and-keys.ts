/** What self-attention works with: queries, keys and values of a scale's tokens, and what a cache takes and gives of them. */
import { storedInput } from "../../cache/storage-graph.js";
import { headName } from "../../cache/storage.js";
import { readFloat32 } from "../../checkpoint/read.js";
import { sliceRows } from "../../checkpoint/tensor.js";
import type { Matrix, Value } from "../../graph/builder.js";
import * as op from "../../graph/ops/index.js";
import { bySlot, type Block, type SlotTokens } from "./block.js";
import { byPieces, whole } from "./by-pieces.js";
import { adaptiveNorm, type Modulation } from "./modulation.js";

/** The learned factor on the queries of a head is at most exp(ln 100). */
const MAX_LOG_SCALE = Math.log(100);

/** What attention works with. */
export interface QueriesAndKeys {
  /** [rows, tokens, C]. */
  readonly q: Value;
  /** By slot. */
  readonly keys: readonly SlotTokens[];
  readonly values: readonly SlotTokens[];
}

/** What is added to the keys: nothing, unless the checkpoint has other numbers than the zeros that training leaves as they are. */
export async function keyBias({ stored, weight }: Block): Promise<Value | undefined> {
  const bias = await readFloat32(stored("sa.zero_k_bias"));
  return bias.some((value) => value !== 0) ? weight("sa.zero_k_bias") : undefined;
}

/** Makes them of the state x, and declares the cache's inputs and outputs. */
export function queriesAndKeys(
  block: Block,
  x: Value,
  { scale1, shift1 }: Modulation,
  addedToKeys: Value | undefined,
): QueriesAndKeys {
  const { g, config, stored, weight } = block;
  const { width: C, heads } = config;
  // The three parts of the stored [3C, C] matrix are byte ranges of it, so each is a weight of its own.
  const third = (part: number): Matrix => g.matrix(sliceRows(stored("sa.mat_qkv.weight"), part * C, (part + 1) * C));
  const [cos, sin] = ["cos", "sin"].map((name) => g.input(name, "float32", ["tokens", C / heads / 2]));
  const observers = g.input("observers", "int64", ["observers"]);
  const ownScale = queryScale(block);
  const { byToken, picked } = byPieces(g, [x], ({ rows, positions, pick }, [own]) => {
    const normed = adaptiveNorm(block, own!, rows(scale1), rows(shift1));
    const project = (part: number, bias: Value | undefined): Value =>
      g.part("projections", () => op.Linear(g, normed, third(part), bias));
    const rotate = (heads: Value): Value => op.RotaryEmbedding(g, heads, positions(cos!), positions(sin!));
    const projected = project(0, weight("sa.q_bias"));
    const q = rotate(unitHeads(block, projected, ownScale));
    const k = rotate(unitHeads(block, project(1, addedToKeys)));
    return { byToken: [q, k, project(2, weight("sa.v_bias"))], picked: [pick(projected, observers)] };
  });
  const [q, k, v] = byToken.map((value) => whole(g, value, x)) as [Value, Value, Value];
  observe(block, "observed_attention", op.Gather(g, q, observers, 1));
  observe(block, "observed_projected", op.Sub(g, picked[0]!, weight("sa.q_bias")));
  return { q, keys: remember(block, "k", k), values: remember(block, "v", v) };
}

/** exp(min(learned, ln 100)) for each head, [H]. */
function queryScale({ g, config, weight }: Block): Value {
  const learned = op.Reshape(g, weight("sa.scale_mul_1H11"), [config.heads]);
  return op.Exp(g, op.Min(g, learned, g.scalar(MAX_LOG_SCALE)));
}

/** Every head's vector brought to length 1, then scaled by head. */
function unitHeads({ g, config: { width, heads } }: Block, x: Value, scale?: Value): Value {
  const byHead = op.Reshape(g, x, [0, 0, heads, width / heads]);
  return op.Reshape(g, op.UnitVectors(g, byHead, width / heads, scale), [0, 0, width]);
}

/** Declares the cache's tokens by slot, and hands out the new ones that the store will keep. */
function remember(block: Block, name: "k" | "v", fresh: Value): SlotTokens[] {
  const { g, config, storage, merging, slots } = block;
  const dim = config.width / config.heads;
  return bySlot(block, fresh).map((own, i) => {
    const { head, heads } = slots[i]!;
    const kept = op.Transpose(g, own, [1, 0, 2]);
    g.output(headName(`new_${name}`, head), kept, "float32", ["tokens", "rows", heads * dim]);
    return { heads, past: storedInput(g, name, { storage, heads, dim, merging, head }), own: kept };
  });
}

/** Hands out the observers' queries [rows, observers, C] by slot, by which a cache policy judges keys. */
function observe(block: Block, name: string, queries: Value): void {
  const { g, config, slots } = block;
  for (const [i, own] of bySlot(block, queries).entries()) {
    const { head, heads } = slots[i]!;
    const axes = ["observers", "rows", (heads * config.width) / config.heads];
    g.output(headName(name, head), op.Transpose(g, own, [1, 0, 2]), "float32", axes);
  }
}
