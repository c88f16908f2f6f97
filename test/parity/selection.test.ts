/**
 * Which tokens stay, against the published ScaleKV code (`ScaleKVCluster.update_kv`), by the plain oracle and by the
 * graph that does the work (test/golden/cases/selection): raw queries, sums of raw logits, both poolings, windows of 9,
 * 16 and 64, room for the window alone and for nearly everything. Of equal scores these reference values, like ours, keep
 * the older token.
 *
 * At least 99.9 % of an item's positions must be the same (measured: all of them, by both): sums in another order may
 * turn two scores about that differ in their last bits.
 */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { buildSelect } from "../../src/cache/commit-graph.js";
import { selectPositions } from "../../src/cache/oracle.js";
import type { Scored, Scoring } from "../../src/cache/policy.js";
import { observationWindow } from "../../src/cache/window.js";
import { CPU_TARGET } from "../../src/graph/model.js";
import { float32, values, type Tensor } from "../../src/runtime/tensor.js";
import { choiceFeeds, laneOf, positionsOf, tokensOf } from "../support/cache.js";
import { GOLDEN, golden, readTensors, type GoldenTensor } from "../support/golden.js";
import { runModel } from "../support/graph.js";

/** One item as `case.json` states it. */
interface Item {
  readonly index: number;
  /** A square map. */
  readonly tokens_of_scale: number;
  readonly cached: number;
  readonly capacity: number;
  readonly window_size: number;
  readonly kernel_size: number;
  readonly pooling: "maxpool" | "avgpool";
}

const FOLDER = `${GOLDEN}cases/selection/`;
const { items } = JSON.parse(await readFile(`${FOLDER}case.json`, "utf8")) as { items: Item[] };
const inputs = await readTensors(`${FOLDER}case.safetensors`);
const expected = await readTensors(`${FOLDER}expected.safetensors`);

const scoringOf = ({ pooling, kernel_size: size }: Item): Scoring => ({
  queries: "projected",
  contribution: "logit",
  pooling: { kind: pooling === "maxpool" ? "max" : "average", size },
  exclusion: "before",
});

/** The window alone stays where it takes all the room. */
function evictionOf({ tokens_of_scale, cached, capacity, window_size }: Item): Scored {
  const side = Math.sqrt(tokens_of_scale);
  const { positions, observers } = observationWindow(cached, { height: side, width: side }, window_size);
  return { kind: "scored", capacity: Math.max(capacity, positions.length), window: positions, observers };
}

/** [rows, heads, tokens, dim] as the cache has it, [tokens, rows, heads · dim]. */
function asCached({ shape, values: all }: GoldenTensor): Tensor {
  const [rows = 0, heads = 0, tokens = 0, dim = 0] = shape;
  const lanes = rows * heads;
  const moved = all.map((_, i) => {
    const [token, lane, channel] = [Math.floor(i / (lanes * dim)), Math.floor(i / dim) % lanes, i % dim];
    return all[(lane * tokens + token) * dim + channel]!;
  });
  return float32(moved, [tokens, rows, heads * dim]);
}

/** Expects that of `found` [lane][kept], each lane sorted and without repeats, the reference keeps 99.9 % too. */
function expectSame(found: readonly (readonly number[])[], { index }: Item): void {
  const { shape, values: reference } = golden(expected, `kept.${index}`);
  const [rows = 0, heads = 0, kept = 0] = shape;
  expect(found).toHaveLength(rows * heads);
  const same = found.map((lane, i) => {
    expect(lane).toHaveLength(kept);
    expect(lane).toEqual([...new Set(lane)].sort((a, b) => a - b));
    const theirs = new Set(reference.subarray(i * kept, (i + 1) * kept));
    return lane.filter((position) => theirs.has(position)).length;
  });
  expect(same.reduce((sum, count) => sum + count, 0) / reference.length).toBeGreaterThanOrEqual(0.999);
}

describe.each(items)(
  "$capacity of $cached + $tokens_of_scale tokens, window $window_size, $pooling $kernel_size",
  (item) => {
    const keys = asCached(golden(inputs, `key.${item.index}`));
    const queries = asCached(golden(inputs, `query.${item.index}`));
    const [rows = 0, heads = 0, length = 0, dim = 0] = golden(inputs, `key.${item.index}`).shape;
    const lanes = rows * heads;
    const [eviction, scoring] = [evictionOf(item), scoringOf(item)];
    /** [observers, lanes, dim] */
    const observed = Float32Array.from(
      eviction.observers.flatMap((token) => [...values(tokensOf(queries, token, token + 1))]),
    );

    it("the oracle keeps the reference's positions", () => {
      const found = Array.from({ length: lanes }, (_, lane) => {
        const queries = laneOf(observed, lane, lanes, dim);
        return selectPositions({ keys: laneOf(values(keys), lane, lanes, dim), queries, dim }, eviction, scoring);
      });
      expectSame(found, item);
    });

    it("the graph keeps the reference's positions", async () => {
      const past = tokensOf(keys, 0, item.cached);
      const fresh = tokensOf(keys, item.cached, length);
      const { positions } = await runModel(
        await buildSelect({ heads, dim, storage: "fp32", target: CPU_TARGET }, scoring),
        {
          ...{ past_k: past, past_v: past, new_k: fresh, new_v: fresh },
          observed: float32(observed, [eviction.observers.length, rows, heads * dim]),
          ...choiceFeeds(eviction, lanes, length),
        },
      );
      expectSame(positionsOf(positions!), item);
    });
  },
);
