/** Cases that only choose: keys and queries in, the positions that stay out. */
import { Committer } from "../../cache/committer.js";
import type { Scored, Scoring } from "../../cache/policy.js";
import { observationWindow } from "../../cache/window.js";
import type { Checkpoint } from "../../checkpoint/checkpoint.js";
import { readFloat32 } from "../../checkpoint/read.js";
import { chooseDevice } from "../../runtime/device.js";
import { probeTarget } from "../../runtime/probe.js";
import { float32 } from "../../runtime/tensor.js";
import type { PipelineOptions } from "../types.js";
import { tensorOf, type Results, type SelectionCase } from "./case-file.js";

/** `query.I` [rows, heads, tokens, dim] and `key.I` [rows, heads, cached + tokens, dim] in; `kept.I` out. */
export async function traceSelection(
  { items }: SelectionCase,
  inputs: Checkpoint,
  options: PipelineOptions,
  results: Results,
): Promise<void> {
  const device = chooseDevice(options.device ?? "auto");
  const target = await probeTarget(device);
  for (const item of items) {
    const { shape: sizes } = tensorOf(inputs, `query.${item.index}`);
    const [rows = 0, heads = 0, , dim = 0] = sizes;
    const committer = new Committer({ heads, dim, storage: "fp32", target }, { device, threads: options.threads });
    try {
      const kept = await keptOf(item, inputs, committer, rows);
      const shape = [rows, heads, kept.length / rows / heads];
      results.set(`kept.${item.index}`, { shape, data: kept });
    } finally {
      await committer.dispose();
    }
  }
}

async function keptOf(
  item: SelectionCase["items"][number],
  inputs: Checkpoint,
  committer: Committer,
  rows: number,
): Promise<Int32Array> {
  const { heads, dim } = committer.shape;
  const { index, cached, tokens_of_scale: fresh, capacity, window_size: size, pooling, kernel_size: width } = item;
  const keys = byToken(await readFloat32(tensorOf(inputs, `key.${index}`)), rows * heads, dim);
  const queries = byToken(await readFloat32(tensorOf(inputs, `query.${index}`)), rows * heads, dim);
  const side = Math.sqrt(fresh);
  const { positions, observers } = observationWindow(cached, { height: side, width: side }, size);
  const eviction: Scored = {
    kind: "scored",
    capacity: Math.max(capacity, positions.length),
    window: positions,
    observers,
  };
  const scoring: Scoring = {
    queries: "projected",
    contribution: "logit",
    pooling: { kind: pooling, size: width },
    exclusion: "before",
  };
  const token = rows * heads * dim;
  const tensor = (values: Float32Array): ReturnType<typeof float32> =>
    float32(values, [values.length / token, rows, heads * dim]);
  const observed = observers.flatMap((observer) => [...queries.subarray(observer * token, (observer + 1) * token)]);
  const [past, own] = [keys.subarray(0, cached * token), keys.subarray(cached * token)];
  const outputs = await committer.select(
    {
      past_k: tensor(past),
      past_v: tensor(past),
      new_k: tensor(own),
      new_v: tensor(own),
      observed: tensor(Float32Array.from(observed)),
    },
    scoring,
    eviction,
    rows * heads,
    undefined,
  );
  return Int32Array.from(outputs.positions!.data as BigInt64Array, Number);
}

/** [lanes, tokens, dim] as [tokens, lanes, dim], the order of the cache. */
function byToken(values: Float32Array, lanes: number, dim: number): Float32Array {
  const tokens = values.length / lanes / dim;
  const out = new Float32Array(values.length);
  for (let lane = 0; lane < lanes; lane++) {
    for (let token = 0; token < tokens; token++) {
      const from = (lane * tokens + token) * dim;
      out.set(values.subarray(from, from + dim), (token * lanes + lane) * dim);
    }
  }
  return out;
}
