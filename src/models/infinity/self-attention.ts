/**
 * Self-attention over the cached tokens and the scale's own. The attention operator takes keys and values of all tokens in
 * one piece and turns them once more for itself, four copies in all, so a device that can loop attends lane by lane: only a
 * lane's keys and values lie joined.
 */
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { GraphTarget } from "../../graph/model.js";
import * as op from "../../graph/ops/index.js";
import { widen } from "../../cache/storage-graph.js";
import { bySlot, type Block, type SlotTokens } from "./block.js";
import type { InfinityConfig } from "./config.js";

/** Channels of the heads that attend together: a few thousand of their keys are still a block that is cheap to come by. */
const MOST_CHANNELS = 512;

/** Keys or values of some heads, cached and new, in the form in which the operator takes them. */
export interface Joined {
  readonly heads: number;
  /** [sequences, past + tokens, channels], in attention's type. */
  readonly tokens: Value;
}

/** The keys or values of a slot for all rows at once, [rows, past + tokens, channels]. */
export function joinRows(block: Block, slot: SlotTokens): Joined {
  return { heads: slot.heads, tokens: op.Transpose(block.g, join(block, slot), [1, 0, 2]) };
}

/**
 * Whether a device holds a score for every query and key: in plain products, and in the operator where keys are longer than
 * values, as those are that may stand for several tokens, or where a head's channels are not read four at a time
 * (onnxruntime 1.30).
 */
export function holdsScores(
  { width, heads }: Pick<InfinityConfig, "width" | "heads">,
  { target, merging = false }: { target: GraphTarget; merging?: boolean | undefined },
): boolean {
  return !target.fusedAttention || merging || (width / heads) % 4 !== 0;
}

/** What queries [sequences, tokens, channels] read, one operator for each slot, the slots' channels side by side. */
export function attend(
  block: Block,
  queries: readonly Value[],
  keys: readonly Joined[],
  values: readonly Joined[],
): Value {
  const { g, merging } = block;
  const read = queries.map((own, i) => {
    const { heads, tokens } = keys[i]!;
    const asked = inType(block, merging ? withChannel(block, own, everywhere(block, own, heads, 1)) : own);
    return op.MultiHeadAttention(g, asked, tokens, values[i]!.tokens, { heads, scale: 1 });
  });
  return read.length === 1 ? read[0]! : op.Concat(g, read, 2);
}

/**
 * Attention of one row after another, and in it of one lane after another. A lane is a row's heads, or some of them where
 * they have many channels; lanes are numbered by row, then by heads, which is how they lie behind one another in
 * [tokens, rows, C].
 */
export function attendByLane(
  block: Block,
  q: Value,
  keys: readonly SlotTokens[],
  values: readonly SlotTokens[],
): Value {
  const { g, config, slots } = block;
  const { width: C, heads } = config;
  const parts = slots.length > 1 ? 1 : lanesOfRow(config);
  const rows = op.Slice(g, op.Shape(g, q), 0, 0, 1);
  const lanes = op.Mul(g, rows, g.ints([parts]));
  const cut = (value: Value, channels: number): Value => cutLanes(g, value, lanes, channels / parts);
  const cutSlot = (tokens: SlotTokens): SlotTokens => cutSlotLanes(tokens, parts, (C / heads) * tokens.heads, cut);
  const [ownKeys, ownValues] = [keys.map(cutSlot), values.map(cutSlot)];
  const [read] = g.scan([q, op.Range(g, op.Squeeze(g, rows, [0]))], 3, (entries) => {
    const [asked, row] = entries.map((entry) => op.Unsqueeze(g, entry, [0])) as [Value, Value];
    const first = op.Mul(g, row, g.ints([parts]));
    const readByPart = Array.from({ length: parts }, (_, part) => {
      const lane = op.Add(g, first, g.ints([part]));
      const pick = (value: Value): Value => op.Gather(g, value, lane, 1);
      // The lane's axis, of length 1, moves to the front by reshaping, which copies nothing.
      const place = (slot: SlotTokens): Joined => ({
        heads: slot.heads,
        tokens: op.Reshape(g, join(block, pickTokens(slot, pick)), [1, -1, 0]),
      });
      const own = parts === 1 ? asked : op.Slice(g, asked, 2, (part * C) / parts, ((part + 1) * C) / parts);
      return attend(block, bySlot(block, own), ownKeys.map(place), ownValues.map(place));
    });
    return [parts === 1 ? readByPart[0]! : op.Concat(g, readByPart, 2)];
  });
  return op.Squeeze(g, read!, [1]);
}

/** Lanes of a row: the fewest whose heads have at most {@link MOST_CHANNELS} channels, if a single head has not more. */
export function lanesOfRow({ width, heads }: Pick<InfinityConfig, "width" | "heads">): number {
  let lanes = 1;
  while (lanes < heads && (width / lanes > MOST_CHANNELS || heads % lanes !== 0)) lanes++;
  return lanes;
}

/** [tokens, rows, C] as [tokens, lanes, channels]. Not by a −1: of an empty cache nothing tells how long that axis is. */
function cutLanes(g: GraphBuilder, value: Value, lanes: Value, channels: number): Value {
  const tokens = op.Slice(g, op.Shape(g, value), 0, 0, 1);
  return op.ReshapeTo(g, value, op.Concat(g, [tokens, lanes, g.ints([channels])], 0));
}

/** A slot's tokens by lane. Scales and bias are numbers by head. */
function cutSlotLanes(
  { heads, past, own }: SlotTokens,
  parts: number,
  channels: number,
  cut: (value: Value, channels: number) => Value,
): SlotTokens {
  const data = cut(past.data, channels);
  const scale = past.scale && cut(past.scale, heads);
  const fine = past.fine && cut(past.fine, channels);
  const bias = past.bias && cut(past.bias, heads);
  return { heads: heads / parts, past: { data, scale, fine, bias }, own: cut(own, channels) };
}

/** The same tokens with `pick` done to all that there is of them. */
function pickTokens({ heads, past, own }: SlotTokens, pick: (value: Value) => Value): SlotTokens {
  const { data, scale, fine, bias } = past;
  const stored = { data: pick(data), scale: scale && pick(scale), fine: fine && pick(fine), bias: bias && pick(bias) };
  return { heads, past: stored, own: pick(own) };
}

/**
 * Cached and new tokens, [past + tokens, rows, heads · dim], in attention's type, with a channel more per head where tokens
 * are merged.
 */
function join(block: Block, { heads, past, own }: SlotTokens): Value {
  const { g, config, storage, attention } = block;
  const dim = config.width / config.heads;
  if (!past.bias) return op.Concat(g, [widen(g, storage, past, dim, attention), inType(block, own)], 0);
  const joined = op.Concat(g, [widen(g, storage, past, dim), own], 0);
  const bias = op.Concat(g, [past.bias, everywhere(block, own, heads, 0)], 0);
  return inType(block, withChannel(block, joined, bias));
}

/** A float32 value in attention's type. */
function inType({ g, attention }: Block, value: Value): Value {
  return attention === "float32" ? value : op.Cast(g, value, attention);
}

/**
 * Every head of x [rows, tokens, heads · dim] with one channel more, [rows, tokens, heads]. Keys get what is added to their
 * logits, queries a 1 to meet it: a channel instead of a mask keeps the attention operator on its path without a
 * tokens × tokens matrix.
 */
function withChannel({ g, config }: Block, x: Value, channel: Value): Value {
  const byHead = op.Reshape(g, x, [0, 0, -1, config.width / config.heads]);
  const longer = op.Concat(g, [byHead, op.Unsqueeze(g, channel, [3])], 3);
  return op.Reshape(g, longer, [0, 0, -1]);
}

/** The same number for every row, token and head of x [rows, tokens, heads · dim]. */
function everywhere({ g }: Block, x: Value, heads: number, value: number): Value {
  const rowsAndTokens = op.Slice(g, op.Shape(g, x), 0, 0, 2);
  return op.Expand(g, g.scalar(value), op.Concat(g, [rowsAndTokens, g.ints([heads])], 0));
}
