/**
 * A cache in the process's own memory. A layer's tokens lie in one array that grows in place as far as the plan lets
 * it; where the plan evicts, a new array of exactly the size that stays takes its place. New tokens of an uncompressed
 * float32 layer are written by the layer's graph right behind the old ones; all others pass through a scratch buffer
 * that the layers share.
 */
import type { Tensors } from "../runtime/session.js";
import { float32, int64, type Tensor } from "../runtime/tensor.js";
import type { Committer } from "./committer.js";
import { CacheAccount, type CachePeak, type CacheShape, type KeptPositions, type KvCache } from "./kv-cache.js";
import type { Eviction } from "./policy.js";
import { emptyArray, storedTensor, type StoredData } from "./stored-tensor.js";

/** Keys or values of one layer: [room, rows, C], and for int8 [room, rows, heads]. */
interface StoredArray {
  readonly data: StoredData;
  readonly scale?: Float32Array | undefined;
}

interface Layer {
  k: StoredArray;
  v: StoredArray;
  tokens: number;
  /** Tokens the arrays have room for. */
  room: number;
}

const NAMES = ["k", "v"] as const;

/** A cache on the host; see the file's head. */
export class HostCache implements KvCache {
  private layers: Layer[];
  private scratch: Record<"k" | "v", Float32Array> = { k: new Float32Array(0), v: new Float32Array(0) };
  private readonly account: CacheAccount;
  private readonly width: number;

  constructor(
    private readonly shape: CacheShape,
    private readonly committer: Committer,
  ) {
    this.width = shape.heads * shape.dim;
    this.account = new CacheAccount(shape);
    this.layers = Array.from({ length: shape.plan.lengths[0]?.length ?? 0 }, () => this.allocate(0));
  }

  get scales(): number {
    return this.shape.plan.fresh.length;
  }

  feeds(layer: number, scale: number): Tensors {
    const eviction = this.evictionAfter(layer, scale);
    // A graph wants at least one observer; nobody reads what it sees where nothing is judged.
    const observers = eviction?.kind === "scored" ? eviction.observers : [0];
    return { ...this.past(layer), observers: int64(observers, [observers.length]) };
  }

  outputs(layer: number, scale: number): Record<string, Tensor | null> {
    const fresh = this.freshTokens(scale);
    const eviction = this.evictionAfter(layer, scale)!;
    const into: Record<string, Tensor | null> = {};
    if (this.growsInPlace(eviction)) {
      this.makeRoom(layer, scale);
      const { tokens } = this.layers[layer]!;
      for (const name of NAMES) into[`new_${name}`] = this.views(this.layers[layer]![name], tokens, fresh, name)[name]!;
      return into;
    }
    for (const name of NAMES) into[`new_${name}`] = this.scratchView(name, fresh);
    if (eviction.kind === "scored") into[this.observedOutput] = null;
    return into;
  }

  async commit(layer: number, scale: number, outputs: Tensors): Promise<KeptPositions | undefined> {
    const fresh = this.freshTokens(scale);
    const eviction = this.evictionAfter(layer, scale)!;
    const kept = await this.carryOut(eviction, layer, scale, outputs);
    this.account.record(layer, fresh, this.layers[layer]!.tokens);
    return kept;
  }

  get bytes(): number {
    return this.account.bytes;
  }

  get peak(): CachePeak {
    return this.account.peak;
  }

  dispose(): void {
    this.layers = [];
    this.scratch = { k: new Float32Array(0), v: new Float32Array(0) };
    this.account.clear();
  }

  private async carryOut(
    eviction: Eviction,
    layer: number,
    scale: number,
    outputs: Tensors,
  ): Promise<KeptPositions | undefined> {
    const fresh = this.freshTokens(scale);
    const state = this.layers[layer]!;
    if (eviction.kind === "none") {
      if (!this.growsInPlace(eviction)) {
        this.makeRoom(layer, scale);
        await this.committer.narrow(this.freshFeeds(fresh), this.keptViews(this.layers[layer]!, state.tokens, fresh));
      }
      this.layers[layer]!.tokens += fresh;
      return undefined;
    }
    const next = this.allocate(this.roomFrom(layer, scale));
    next.tokens = this.shape.plan.lengths[scale]![layer]!;
    const into = this.keptViews(next, 0, next.tokens);
    const feeds = { ...this.past(layer), ...this.freshFeeds(fresh) };
    const kept =
      eviction.kind === "fixed"
        ? await this.keepFixed(feeds, eviction.positions, into)
        : await this.keepBest(feeds, eviction, state.tokens + fresh, outputs, into);
    this.layers[layer] = next;
    return kept;
  }

  private async keepFixed(
    feeds: Tensors,
    positions: readonly number[],
    into: Record<string, Tensor>,
  ): Promise<KeptPositions> {
    await this.committer.keep(feeds, positions, this.lanes, into);
    return { lanes: this.lanes, positions: Array.from({ length: this.lanes }, () => positions).flat() };
  }

  private async keepBest(
    feeds: Tensors,
    eviction: Extract<Eviction, { kind: "scored" }>,
    length: number,
    outputs: Tensors,
    into: Record<string, Tensor>,
  ): Promise<KeptPositions> {
    const judged = { ...feeds, observed: outputs[this.observedOutput]! };
    const where = { lanes: this.lanes, length };
    const scoring = this.shape.plan.scoring!;
    const { positions } = await this.committer.select(judged, scoring, eviction, where, { ...into, positions: null });
    return { lanes: this.lanes, positions: Array.from(positions!.data as BigInt64Array, Number) };
  }

  private evictionAfter(layer: number, scale: number): Eviction | undefined {
    return this.shape.plan.evictions[scale]?.[layer];
  }

  private growsInPlace({ kind }: Eviction): boolean {
    return kind === "none" && this.shape.storage === "fp32";
  }

  private get lanes(): number {
    return this.shape.rows * this.shape.heads;
  }

  private get observedOutput(): string {
    return `observed_${this.shape.plan.scoring?.queries ?? "attention"}`;
  }

  private freshTokens(scale: number): number {
    return this.shape.plan.fresh[scale]!;
  }

  /** The most tokens a layer will hold from this scale on until something is evicted. */
  private roomFrom(layer: number, scale: number): number {
    const { lengths, evictions } = this.shape.plan;
    let last = scale;
    while (evictions[last + 1]?.[layer]?.kind === "none") last++;
    return lengths[last]![layer]!;
  }

  /** Moves a layer into larger arrays if the scale's tokens do not fit. */
  private makeRoom(layer: number, scale: number): void {
    const old = this.layers[layer]!;
    if (old.tokens + this.freshTokens(scale) <= old.room) return;
    const next = this.allocate(this.roomFrom(layer, scale));
    for (const name of NAMES) {
      next[name].data.set(old[name].data);
      if (old[name].scale) next[name].scale?.set(old[name].scale);
    }
    next.tokens = old.tokens;
    this.layers[layer] = next;
  }

  private allocate(room: number): Layer {
    const { rows, heads, storage } = this.shape;
    const array = (): StoredArray => ({
      data: emptyArray(storage, room * rows * this.width),
      scale: storage === "int8" ? new Float32Array(room * rows * heads) : undefined,
    });
    return { k: array(), v: array(), tokens: 0, room };
  }

  private past(layer: number): Record<string, Tensor> {
    const state = this.layers[layer]!;
    return Object.assign(
      {},
      ...NAMES.map((name) => this.views(state[name], 0, state.tokens, `past_${name}`)),
    ) as Record<string, Tensor>;
  }

  private keptViews(state: Layer, start: number, tokens: number): Record<string, Tensor> {
    return Object.assign({}, ...NAMES.map((name) => this.views(state[name], start, tokens, `kept_${name}`))) as Record<
      string,
      Tensor
    >;
  }

  /** Tokens `start` to `start + tokens` of an array as tensors: the values under `name`, int8's scales beside them. */
  private views({ data, scale }: StoredArray, start: number, tokens: number, name: string): Record<string, Tensor> {
    const { rows, heads } = this.shape;
    const part = <A extends StoredData>(array: A, columns: number): A =>
      array.subarray(start * rows * columns, (start + tokens) * rows * columns) as A;
    const tensor = storedTensor(part(data, this.width), [tokens, rows, this.width]);
    if (!scale) return { [name]: tensor };
    return { [name]: tensor, [`${name}_scale`]: float32(part(scale, heads), [tokens, rows, heads]) };
  }

  private freshFeeds(fresh: number): Tensors {
    return { new_k: this.scratchView("k", fresh), new_v: this.scratchView("v", fresh) };
  }

  private scratchView(name: "k" | "v", fresh: number): Tensor {
    const length = fresh * this.shape.rows * this.width;
    if (this.scratch[name].length < length) this.scratch[name] = new Float32Array(length);
    return float32(this.scratch[name].subarray(0, length), [fresh, this.shape.rows, this.width]);
  }
}
