/**
 * A cache in the process's own memory. A slot's tokens lie in one array that grows in place as far as the plan lets it;
 * where the plan evicts, a new array of exactly the size that stays takes its place. New tokens that stay as they come,
 * in float32, are written by the layer's graph right behind the old ones; all others pass through scratch buffers that
 * all layers share.
 */
import type { Tensors } from "../runtime/session.js";
import { discardArrays, float32, int64, int8, type Tensor } from "../runtime/tensor.js";
import type { Committer } from "./committer.js";
import {
  CacheAccount,
  fineFeeds,
  type CachePeak,
  type CacheShape,
  type KeptPositions,
  type KvCache,
} from "./kv-cache.js";
import type { Eviction, Scored } from "./policy.js";
import { fineTokens } from "./storage.js";
import { emptyArray, storedTensor, type StoredData } from "./stored-tensor.js";

/**
 * Keys or values of one slot: [room, rows, C]; for int8 scales [room, rows, heads] and the first tokens' second bytes; where
 * tokens are merged, bias [room, rows, heads].
 */
interface StoredArray {
  readonly data: StoredData;
  readonly scale?: Float32Array | undefined;
  readonly fine?: Int8Array | undefined;
  /** New tokens stand for themselves alone, and ln 1 is what an array holds at first. */
  readonly bias?: Float32Array | undefined;
}

interface Slot {
  readonly k: StoredArray;
  readonly v: StoredArray;
  /** What every token was given so far, [lanes, tokens]; only where scores add up. */
  readonly scores?: Float32Array | undefined;
  tokens: number;
  /** Tokens the arrays have room for. */
  room: number;
}

const NAMES = ["k", "v"] as const;

/** A cache on the host; see the file's head. */
export class HostCache implements KvCache {
  private slots: Slot[];
  /** By slot of one graph's run. */
  private scratch: Record<"k" | "v", Float32Array>[];
  private readonly account: CacheAccount;
  private readonly width: number;

  constructor(
    private readonly shape: CacheShape,
    private readonly committer: Committer,
  ) {
    this.width = shape.heads * shape.dim;
    this.account = new CacheAccount(shape);
    this.slots = Array.from({ length: shape.plan.lengths[0]?.length ?? 0 }, () => this.allocate(0));
    this.scratch = Array.from({ length: shape.together ?? 1 }, emptyScratch);
  }

  get scales(): number {
    return this.shape.plan.fresh.length;
  }

  feeds(slot: number, scale: number): Tensors {
    const eviction = this.evictionAfter(slot, scale);
    // A graph wants at least one observer; nobody reads what it sees where nothing is judged.
    const observers = eviction?.kind === "scored" ? eviction.observers : [0];
    return { ...this.past(slot), observers: int64(observers, [observers.length]) };
  }

  outputs(slot: number, scale: number): Record<string, Tensor | null> {
    const fresh = this.freshTokens(scale);
    const eviction = this.evictionAfter(slot, scale)!;
    const into: Record<string, Tensor | null> = {};
    if (this.growsInPlace(eviction)) {
      this.makeRoom(slot, scale);
      const { tokens } = this.slots[slot]!;
      for (const name of NAMES) into[`new_${name}`] = this.views(this.slots[slot]![name], tokens, fresh, name)[name]!;
      return into;
    }
    for (const name of NAMES) into[`new_${name}`] = this.scratchView(slot, name, fresh);
    if (eviction.kind === "scored") into[this.observedOutput] = null;
    return into;
  }

  async commit(slot: number, scale: number, outputs: Tensors): Promise<KeptPositions | undefined> {
    const fresh = this.freshTokens(scale);
    const eviction = this.evictionAfter(slot, scale)!;
    const kept = await this.carryOut(eviction, slot, scale, outputs);
    this.account.record(slot, fresh, this.slots[slot]!.tokens);
    const nothingFollows = scale === this.scales - 1 && slot === this.slots.length - 1;
    if (nothingFollows) this.clearScratch();
    return kept;
  }

  get bytes(): number {
    return this.account.bytes;
  }

  get peak(): CachePeak {
    return this.account.peak;
  }

  dispose(): void {
    for (const slot of this.slots) discardArrays(arraysOf(slot));
    this.slots = [];
    this.clearScratch();
    this.account.clear();
  }

  private clearScratch(): void {
    for (const { k, v } of this.scratch) discardArrays([k, v]);
    this.scratch = this.scratch.map(emptyScratch);
  }

  private async carryOut(
    eviction: Eviction,
    slot: number,
    scale: number,
    outputs: Tensors,
  ): Promise<KeptPositions | undefined> {
    const fresh = this.freshTokens(scale);
    const state = this.slots[slot]!;
    if (eviction.kind === "none") {
      if (!this.growsInPlace(eviction)) {
        this.makeRoom(slot, scale);
        await this.committer.narrow(
          this.freshFeeds(slot, scale),
          this.keptViews(this.slots[slot]!, state.tokens, fresh),
        );
      }
      this.slots[slot]!.tokens += fresh;
      return undefined;
    }
    const next = this.allocate(this.roomFrom(slot, scale), this.shape.plan.lengths[scale]![slot]);
    const into = this.keptViews(next, 0, next.tokens);
    const feeds = { ...this.past(slot), ...this.freshFeeds(slot, scale) };
    const kept =
      eviction.kind === "fixed"
        ? await this.keepFixed(feeds, eviction.positions, into)
        : await this.keepBest({ ...feeds, observed: outputs[this.observedOutput]! }, eviction, [state, next], into);
    this.replace(slot, next);
    return kept;
  }

  /** Puts a slot's tokens elsewhere and gives back the memory where they were. */
  private replace(slot: number, next: Slot): void {
    discardArrays(arraysOf(this.slots[slot]!));
    this.slots[slot] = next;
  }

  private async keepFixed(
    feeds: Tensors,
    positions: readonly number[],
    into: Record<string, Tensor>,
  ): Promise<KeptPositions> {
    await this.committer.keep(feeds, positions, this.lanes, into);
    return new Array<readonly number[]>(this.lanes).fill(positions);
  }

  private async keepBest(
    feeds: Tensors,
    eviction: Scored,
    [before, after]: readonly [Slot, Slot],
    into: Record<string, Tensor>,
  ): Promise<KeptPositions> {
    const { scoring } = this.shape.plan;
    const judged = { ...feeds, ...this.scores("past", before) };
    const where = { ...into, ...this.scores("kept", after), positions: null };
    const { positions } = await this.committer.select(judged, scoring!, eviction, this.lanes, where);
    const all = Array.from(positions!.data as BigInt64Array, Number);
    const { capacity } = eviction;
    return Array.from({ length: this.lanes }, (_, lane) => all.slice(lane * capacity, (lane + 1) * capacity));
  }

  private scores(name: "past" | "kept", { scores, tokens }: Slot): Record<string, Tensor> {
    return scores ? { [`${name}_scores`]: float32(scores, [this.lanes, 1, tokens]) } : {};
  }

  private evictionAfter(slot: number, scale: number): Eviction | undefined {
    return this.shape.plan.evictions[scale]?.[slot];
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

  /** The most tokens a slot will hold from this scale on until something is evicted. */
  private roomFrom(slot: number, scale: number): number {
    const { lengths, evictions } = this.shape.plan;
    let last = scale;
    while (evictions[last + 1]?.[slot]?.kind === "none") last++;
    return lengths[last]![slot]!;
  }

  /** Moves a slot into larger arrays if the scale's tokens do not fit. */
  private makeRoom(slot: number, scale: number): void {
    const old = this.slots[slot]!;
    if (old.tokens + this.freshTokens(scale) <= old.room) return;
    const next = this.allocate(this.roomFrom(slot, scale), old.tokens);
    for (const name of NAMES) {
      next[name].data.set(old[name].data);
      if (old[name].fine) next[name].fine?.set(old[name].fine);
      if (old[name].scale) next[name].scale?.set(old[name].scale);
      if (old[name].bias) next[name].bias?.set(old[name].bias);
    }
    this.replace(slot, next);
  }

  private allocate(room: number, tokens = 0): Slot {
    const { rows, heads, storage, plan, merging } = this.shape;
    const byHead = (): Float32Array => new Float32Array(room * rows * heads);
    const array = (biased = false): StoredArray => ({
      data: emptyArray(storage, room * rows * this.width),
      scale: storage === "int8" ? byHead() : undefined,
      fine: storage === "int8" ? new Int8Array(fineTokens(room) * rows * this.width) : undefined,
      bias: biased ? byHead() : undefined,
    });
    const scores = plan.scoring?.cumulative ? new Float32Array(tokens * rows * heads) : undefined;
    return { k: array(merging), v: array(), scores, tokens, room };
  }

  private past(slot: number): Record<string, Tensor> {
    const state = this.slots[slot]!;
    return Object.assign(
      {},
      ...NAMES.map((name) => this.views(state[name], 0, state.tokens, `past_${name}`)),
    ) as Record<string, Tensor>;
  }

  private keptViews(state: Slot, start: number, tokens: number): Record<string, Tensor> {
    return Object.assign({}, ...NAMES.map((name) => this.views(state[name], start, tokens, `kept_${name}`))) as Record<
      string,
      Tensor
    >;
  }

  /** Tokens `start` to `start + tokens` of an array as tensors: the values under `name`, what else there is beside them. */
  private views(
    { data, scale, fine, bias }: StoredArray,
    start: number,
    tokens: number,
    name: string,
  ): Record<string, Tensor> {
    const { rows, heads } = this.shape;
    const end = start + tokens;
    const part = <A extends StoredData>(array: A, columns: number, first = start, last = end): A =>
      array.subarray(first * rows * columns, last * rows * columns) as A;
    const byHead = (array: Float32Array): Tensor => float32(part(array, heads), [tokens, rows, heads]);
    const [first, last] = [fineTokens(start), fineTokens(end)];
    const secondBytes = (array: Int8Array): Tensor =>
      int8(part(array, this.width, first, last), [last - first, rows, this.width]);
    return {
      [name]: storedTensor(part(data, this.width), [tokens, rows, this.width]),
      ...(scale && { [`${name}_scale`]: byHead(scale) }),
      ...(fine && { [`${name}_fine`]: secondBytes(fine) }),
      ...(bias && { [`${name}_bias`]: byHead(bias) }),
    };
  }

  private freshFeeds(slot: number, scale: number): Tensors {
    const fresh = this.freshTokens(scale);
    const [new_k, new_v] = NAMES.map((name) => this.scratchView(slot, name, fresh)) as [Tensor, Tensor];
    return { new_k, new_v, ...fineFeeds(this.shape, slot, scale) };
  }

  private scratchView(slot: number, name: "k" | "v", fresh: number): Tensor {
    const length = fresh * this.shape.rows * this.width;
    const scratch = this.scratch[slot % this.scratch.length]!;
    if (scratch[name].length < length) {
      discardArrays([scratch[name]]);
      scratch[name] = new Float32Array(length);
    }
    return float32(scratch[name].subarray(0, length), [fresh, this.shape.rows, this.width]);
  }
}

function arraysOf({ k, v, scores }: Slot): ArrayBufferView[] {
  const all = [k, v].flatMap(({ data, scale, fine, bias }) => [data, scale, fine, bias]);
  return [...all, scores].filter((array) => array !== undefined);
}

function emptyScratch(): Record<"k" | "v", Float32Array> {
  return { k: new Float32Array(0), v: new Float32Array(0) };
}
