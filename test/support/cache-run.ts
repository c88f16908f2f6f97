/**
 * Draws images that are none: random keys, values and queries stand in for a model's layers, so that a cache can be
 * watched without one. A row's numbers follow from its seed alone, whatever rows are beside it.
 */
import type { KvCache } from "../../src/cache/kv-cache.js";
import type { Plan } from "../../src/cache/policy.js";
import type { Tensors } from "../../src/runtime/session.js";
import { float32, values, type Tensor } from "../../src/runtime/tensor.js";
import { noise, widened } from "./cache.js";

/** One image in one cache. */
export interface CacheRunTask {
  readonly cache: KvCache;
  readonly plan: Plan;
  /** A seed for every row. */
  readonly rows: readonly number[];
  readonly heads: number;
  readonly dim: number;
}

/** What a cache held and said once a layer had been committed. */
export interface Step {
  readonly scale: number;
  readonly layer: number;
  /** [observers, rows, C], the queries that the plan's scoring asks for. */
  readonly observed: Float32Array;
  /** Positions that stay, [lane][kept], where the cache tells them. */
  readonly kept: readonly (readonly number[])[] | undefined;
  /** [lane]: the layer's tokens as stored, oldest first, each as the bytes of its key, its value and their scales. */
  readonly lanes: readonly Buffer[];
  /** [lane]: the second bytes of the first of them, of key and value; empty for types that have none. */
  readonly fine: readonly Buffer[];
  /** The layer's keys and values as attention reads them, [tokens, lanes, dim]. */
  readonly keys: Float32Array;
  readonly values: Float32Array;
  /** [tokens, lanes]: ln of how many tokens each stands for, where they are merged. */
  readonly bias: Float32Array | undefined;
  /** Bytes of the layer's tokens, and of the arrays in which they lie. */
  readonly layerBytes: number;
  readonly arrayBytes: number;
  /** What the cache says it holds, all layers. */
  readonly bytes: number;
}

/** Kinds of random numbers. */
const KINDS = ["k", "v", "observed_projected", "observed_attention"] as const;

/** Runs all scales but the last through the cache, layer by layer. */
export async function drawNoise(task: CacheRunTask): Promise<Step[]> {
  const steps: Step[] = [];
  for (const [scale, evictions] of task.plan.evictions.entries()) {
    for (const layer of evictions.keys()) steps.push(await runLayer(task, scale, layer));
  }
  return steps;
}

async function runLayer(task: CacheRunTask, scale: number, layer: number): Promise<Step> {
  const { cache, plan, rows, heads } = task;
  const { observers } = cache.feeds(layer, scale);
  const outputs = writeOutputs(task, scale, layer, Array.from(observers!.data as BigInt64Array, Number));
  const kept = await cache.commit(layer, scale, outputs);
  const past = Object.entries(cache.feeds(layer, scale + 1)).filter(([name]) => name.startsWith("past_"));
  const tensors = past.map(([, tensor]) => tensor);
  const { past_k, past_k_scale, past_v, past_v_scale, past_k_bias, past_k_fine, past_v_fine } =
    Object.fromEntries(past);
  const fine = past_k_fine && past_v_fine ? [past_k_fine, past_v_fine] : [];
  const lanes = rows.length * heads;
  return {
    scale,
    layer,
    observed: values(outputs[`observed_${plan.scoring?.queries ?? "attention"}`]!),
    kept: kept?.map((lane) => lane!),
    lanes: laneBytes(
      tensors.filter((tensor) => !fine.includes(tensor)),
      lanes,
    ),
    fine: fine.length > 0 ? laneBytes(fine, lanes) : new Array<Buffer>(lanes).fill(Buffer.alloc(0)),
    keys: widened(past_k!, past_k_scale, past_k_fine).slice(),
    values: widened(past_v!, past_v_scale, past_v_fine).slice(),
    bias: past_k_bias && values(past_k_bias).slice(),
    layerBytes: tensors.reduce((sum, tensor) => sum + bytesOf(tensor).length, 0),
    arrayBytes: tensors.reduce((sum, tensor) => sum + bytesOf(tensor).buffer.byteLength, 0),
    bytes: cache.bytes,
  };
}

/** What a layer's graph would give: new keys and values, where the cache wants them, and both kinds of queries. */
function writeOutputs(task: CacheRunTask, scale: number, layer: number, observers: readonly number[]): Tensors {
  const fresh = [...new Array<number>(task.plan.fresh[scale]!).keys()];
  const into = task.cache.outputs(layer, scale);
  const written = (name: "k" | "v"): Tensor => {
    const made = tokens(task, scale, layer, name, fresh);
    const place = into?.[`new_${name}`];
    if (place) values(place).set(values(made));
    return place ?? made;
  };
  return {
    new_k: written("k"),
    new_v: written("v"),
    observed_projected: tokens(task, scale, layer, "observed_projected", observers),
    observed_attention: tokens(task, scale, layer, "observed_attention", observers),
  };
}

/** Some of a scale's tokens, [chosen, rows, C]. */
function tokens(
  { plan, rows, heads, dim }: CacheRunTask,
  scale: number,
  layer: number,
  kind: (typeof KINDS)[number],
  chosen: readonly number[],
): Tensor {
  const width = heads * dim;
  const data = new Float32Array(chosen.length * rows.length * width);
  for (const [row, seed] of rows.entries()) {
    const number = ((seed * 64 + scale) * 64 + layer) * KINDS.length + KINDS.indexOf(kind);
    const all = noise(plan.fresh[scale]! * width, number);
    for (const [place, token] of chosen.entries()) {
      data.set(all.subarray(token * width, (token + 1) * width), (place * rows.length + row) * width);
    }
  }
  return float32(data, [chosen.length, rows.length, width]);
}

/** Cuts tensors [tokens, lanes, …] into lanes, token by token. */
function laneBytes(tensors: readonly Tensor[], lanes: number): Buffer[] {
  const parts = tensors.map((tensor) => ({ bytes: bytesOf(tensor), each: bytesOf(tensor).length / tensor.dims[0]! }));
  return Array.from({ length: lanes }, (_, lane) =>
    Buffer.concat(
      Array.from({ length: tensors[0]!.dims[0]! }, (__, token) =>
        parts.map(({ bytes, each }) => {
          const start = token * each + (lane * each) / lanes;
          return bytes.subarray(start, start + each / lanes);
        }),
      ).flat(),
    ),
  );
}

function bytesOf({ data }: Tensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = data as Float32Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}
