/**
 * A cache that stays in device memory. Every commit gives new tensors, which replace the old ones; keys and values never
 * come to the host.
 */
import type { Tensors } from "../runtime/session.js";
import { float32, int64, type Tensor } from "../runtime/tensor.js";
import type { Committer } from "./committer.js";
import {
  CacheAccount,
  fineFeeds,
  type CachePeak,
  type CacheShape,
  type KeptPositions,
  type KvCache,
} from "./kv-cache.js";
import { emptyArray, storedTensor } from "./stored-tensor.js";

/** A cache on a device; see the file's head. */
export class DeviceCache implements KvCache {
  private slots: Tensors[];
  /** By slot: what every token was given so far, [lanes, 1, tokens], where scores add up. */
  private scores: Tensor[] = [];
  private readonly account: CacheAccount;

  constructor(
    private readonly shape: CacheShape,
    private readonly committer: Committer,
  ) {
    this.account = new CacheAccount(shape);
    this.slots = Array.from({ length: shape.plan.lengths[0]?.length ?? 0 }, () => emptySlot(shape));
    if (shape.plan.scoring?.cumulative) {
      this.scores = this.slots.map(() => float32(new Float32Array(0), [this.lanes, 1, 0]));
    }
  }

  get scales(): number {
    return this.shape.plan.fresh.length;
  }

  feeds(slot: number, scale: number): Tensors {
    const eviction = this.shape.plan.evictions[scale]?.[slot];
    const observers = eviction?.kind === "scored" ? eviction.observers : [0];
    return { ...this.slots[slot]!, observers: int64(observers, [observers.length]) };
  }

  outputs(): undefined {
    return undefined;
  }

  async commit(slot: number, scale: number, outputs: Tensors): Promise<KeptPositions | undefined> {
    const { plan } = this.shape;
    const { positions, kept_scores: scores, ...kept } = await this.carryOut(slot, scale, outputs);
    Object.values(this.slots[slot]!).forEach((tensor) => tensor.dispose());
    this.slots[slot] = Object.fromEntries(
      Object.entries(kept).map(([name, tensor]) => [name.replace("kept", "past"), tensor]),
    );
    if (scores) {
      this.scores[slot]!.dispose();
      this.scores[slot] = scores;
    }
    this.account.record(slot, plan.fresh[scale]!, plan.lengths[scale]![slot]!);
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
    for (const slot of this.slots) Object.values(slot).forEach((tensor) => tensor.dispose());
    this.scores.forEach((tensor) => tensor.dispose());
    this.slots = [];
    this.scores = [];
    this.account.clear();
  }

  private carryOut(slot: number, scale: number, { new_k, new_v, ...outputs }: Tensors): Promise<Tensors> {
    const { plan } = this.shape;
    const eviction = plan.evictions[scale]![slot]!;
    const feeds = { ...this.slots[slot]!, new_k: new_k!, new_v: new_v!, ...fineFeeds(this.shape, slot, scale) };
    switch (eviction.kind) {
      case "none":
        return this.committer.append(feeds, undefined);
      case "fixed":
        return this.committer.keep(feeds, eviction.positions, this.lanes, undefined);
      case "scored": {
        const scoring = plan.scoring!;
        const scores = this.scores[slot];
        const judged = { ...feeds, observed: outputs[`observed_${scoring.queries}`]! };
        const given = scores ? { ...judged, past_scores: scores } : judged;
        return this.committer.select(given, scoring, eviction, this.lanes, undefined);
      }
    }
  }

  private get lanes(): number {
    return this.shape.rows * this.shape.heads;
  }
}

/** What a layer's graph reads before the first scale: no tokens, in their stored form. */
function emptySlot({ rows, heads, dim, storage, merging }: CacheShape): Tensors {
  const data = (): Tensor => storedTensor(emptyArray(storage, 0), [0, rows, heads * dim]);
  const byHead = (): Tensor => float32(new Float32Array(0), [0, rows, heads]);
  const ofInt8 = storage === "int8" && {
    ...{ past_k_scale: byHead(), past_v_scale: byHead() },
    ...{ past_k_fine: data(), past_v_fine: data() },
  };
  return { past_k: data(), past_v: data(), ...ofInt8, ...(merging && { past_k_bias: byHead() }) };
}
