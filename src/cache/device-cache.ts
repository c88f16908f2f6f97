/**
 * A cache that stays in device memory. Every commit gives new tensors, which replace the old ones; keys and values never
 * come to the host.
 */
import type { Tensors } from "../runtime/session.js";
import { float32, int64, type Tensor } from "../runtime/tensor.js";
import type { Committer } from "./committer.js";
import { CacheAccount, type CachePeak, type CacheShape, type KeptPositions, type KvCache } from "./kv-cache.js";
import { emptyArray, storedTensor } from "./stored-tensor.js";

/** A cache on a device; see the file's head. */
export class DeviceCache implements KvCache {
  private layers: Tensors[];
  private readonly account: CacheAccount;

  constructor(
    private readonly shape: CacheShape,
    private readonly committer: Committer,
  ) {
    this.account = new CacheAccount(shape);
    this.layers = Array.from({ length: shape.plan.lengths[0]?.length ?? 0 }, () => emptyLayer(shape));
  }

  get scales(): number {
    return this.shape.plan.fresh.length;
  }

  feeds(layer: number, scale: number): Tensors {
    const eviction = this.shape.plan.evictions[scale]?.[layer];
    const observers = eviction?.kind === "scored" ? eviction.observers : [0];
    return { ...this.layers[layer]!, observers: int64(observers, [observers.length]) };
  }

  outputs(): undefined {
    return undefined;
  }

  async commit(layer: number, scale: number, outputs: Tensors): Promise<KeptPositions | undefined> {
    const { plan } = this.shape;
    const { positions, ...kept } = await this.carryOut(layer, scale, outputs);
    Object.values(this.layers[layer]!).forEach((tensor) => tensor.dispose());
    this.layers[layer] = Object.fromEntries(
      Object.entries(kept).map(([name, tensor]) => [name.replace("kept", "past"), tensor]),
    );
    this.account.record(layer, plan.fresh[scale]!, plan.lengths[scale]![layer]!);
    // Reading a device tensor aborts the process under Node (onnxruntime 1.30), so which tokens stayed is not told.
    positions?.dispose();
    return undefined;
  }

  get bytes(): number {
    return this.account.bytes;
  }

  get peak(): CachePeak {
    return this.account.peak;
  }

  dispose(): void {
    for (const layer of this.layers) Object.values(layer).forEach((tensor) => tensor.dispose());
    this.layers = [];
    this.account.clear();
  }

  private carryOut(layer: number, scale: number, { new_k, new_v, ...outputs }: Tensors): Promise<Tensors> {
    const { plan } = this.shape;
    const eviction = plan.evictions[scale]![layer]!;
    const feeds = { ...this.layers[layer]!, new_k: new_k!, new_v: new_v! };
    switch (eviction.kind) {
      case "none":
        return this.committer.append(feeds, undefined);
      case "fixed":
        return this.committer.keep(feeds, eviction.positions, this.lanes, undefined);
      case "scored": {
        const scoring = plan.scoring!;
        const judged = { ...feeds, observed: outputs[`observed_${scoring.queries}`]! };
        const length = (scale === 0 ? 0 : plan.lengths[scale - 1]![layer]!) + plan.fresh[scale]!;
        return this.committer.select(judged, scoring, eviction, { lanes: this.lanes, length }, undefined);
      }
    }
  }

  private get lanes(): number {
    return this.shape.rows * this.shape.heads;
  }
}

/** What a layer's graph reads before the first scale: no tokens, in their stored form. */
function emptyLayer({ rows, heads, dim, storage }: CacheShape): Tensors {
  const data = (): Tensor => storedTensor(emptyArray(storage, 0), [0, rows, heads * dim]);
  const scale = (): Tensor => float32(new Float32Array(0), [0, rows, heads]);
  const scales = storage === "int8" ? { past_k_scale: scale(), past_v_scale: scale() } : {};
  return { past_k: data(), past_v: data(), ...scales };
}
