/**
 * The part of the conformance suite that fills caches, with random numbers for keys, values and queries; see
 * `policy.case.ts`.
 */
import { afterAll, describe, expect, it } from "vitest";
import { drawNoise, type Step } from "../../test/support/cache-run.js";
import { expectSelected, laneOf } from "../../test/support/cache.js";
import { CPU_TARGET } from "../graph/model.js";
import { scheduleFor } from "../models/infinity/schedule.js";
import { disposeAll } from "../runtime/dispose.js";
import { Committer } from "./committer.js";
import { DeviceCache } from "./device-cache.js";
import { HostCache } from "./host-cache.js";
import type { KvCache } from "./kv-cache.js";
import type { CommitShape } from "./lanes.js";
import { givenScores, mergeTokens, selectPositions, type Lane } from "./oracle.js";
import type { MakePolicy } from "./plan.case.js";
import { full } from "./policies/full.js";
import { byHead, type CacheRun, type Plan, type Policy, type Scored } from "./policy.js";
import { bytesOfFine, bytesPerToken, FINE_TOKENS, type StorageType } from "./storage.js";

/** Two layers of two heads; √4 is a power of two, so that dividing by it is exact. */
const SMALL = { layers: 2, heads: 2, dim: 4 };

/** As a cache sees them: slots of so many heads each. */
interface Slots {
  readonly layers: number;
  readonly heads: number;
  readonly dim: number;
}

function slotsOf({ headwise }: Plan): Slots {
  return headwise ? { layers: SMALL.layers * SMALL.heads, heads: 1, dim: SMALL.dim } : SMALL;
}

/** Schedules of 0.06M, which have 220 to 294 tokens to keep, and budgets from nearly all of them to the least. */
const DRAWN = [
  { ratio: 1, budget: "40%" },
  { ratio: 3, budget: "12%" },
  { ratio: 0.8, budget: 16 },
  { ratio: 0.571, budget: "90%" },
];

/** Rows by their seeds: each alone, and together in an order of its own. */
const ROWS = [0, 1, 2];
const TOGETHER = [
  [0, 1],
  [2, 0, 1],
];

/** One for each shape, as a model has one for all its images. */
class Committers {
  private readonly made = new Map<string, Committer>();

  of(shape: CommitShape): Committer {
    const key = JSON.stringify(shape);
    const committer = this.made.get(key) ?? new Committer(shape, { device: "cpu" });
    this.made.set(key, committer);
    return committer;
  }

  async dispose(): Promise<void> {
    await disposeAll([...this.made.values()]);
  }
}

/** A policy's caches in one storage type. */
class Workbench {
  readonly plan: Plan;
  /** Everything stays, in the same slots. */
  readonly fullPlan: Plan;
  readonly slots: Slots;
  readonly committer: Committer;

  constructor(
    private readonly storage: StorageType,
    { policy, run }: { policy: Policy; run: CacheRun },
    committers: Committers,
  ) {
    this.plan = policy.plan(run);
    this.fullPlan = this.plan.headwise ? byHead(full.plan(run), run.heads) : full.plan(run);
    this.slots = slotsOf(this.plan);
    this.committer = committers.of({ ...this.slots, storage, merging: this.merging, target: CPU_TARGET });
  }

  /** An image, and the cache that held it. */
  async draw(
    rows: readonly number[],
    { plan = this.plan, kind: Cache = HostCache }: { plan?: Plan; kind?: typeof HostCache | typeof DeviceCache } = {},
  ): Promise<{ steps: Step[]; cache: KvCache }> {
    const shape = { ...this.slots, storage: this.storage, merging: this.merging, rows: rows.length, plan };
    const cache = new Cache(shape, this.committer);
    return { steps: await drawNoise({ ...this.slots, cache, plan, rows }), cache };
  }

  /** Tokens may stand for several. */
  get merging(): boolean {
    return this.plan.scoring?.merge !== undefined;
  }

  /** One row of all steps, to be compared: what stayed and what is held. */
  rowOf(steps: readonly Step[], row: number): unknown {
    const { heads } = this.slots;
    const part = <T>(lanes: readonly T[]): T[] => lanes.slice(row * heads, (row + 1) * heads);
    return steps.map(({ kept, lanes, fine }) => ({
      kept: kept && JSON.stringify(part(kept)),
      held: hex(part(lanes)),
      fine: hex(part(fine)),
    }));
  }
}

/** What the caches make of plans, in one storage type. */
export function cacheSuite(make: MakePolicy, storage: StorageType): void {
  const committers = new Committers();
  afterAll(() => committers.dispose());
  describe.each(DRAWN)("ratio $ratio, budget $budget", ({ ratio, budget }) => {
    const { maps } = scheduleFor("0.06M", ratio);
    const { layers, heads, dim } = SMALL;
    const run: CacheRun = { layers, heads, maps };
    const task = { model: { depth: layers, heads, width: heads * dim }, maps, tokenBytes: 1 };
    const onBench = async (wish: string | number, test: (bench: Workbench) => Promise<void>): Promise<void> => {
      await test(new Workbench(storage, { policy: make(task, wish).policy, run }, committers));
    };

    it("keeps the stored tokens that the oracle selects, row by row, whatever is beside them", () =>
      onBench(budget, async (bench) => {
        const alone: Step[][] = [];
        for (const row of ROWS) {
          const { steps: everything } = await bench.draw([row], { plan: bench.fullPlan });
          alone.push((await bench.draw([row])).steps);
          (bench.merging ? expectMerged : expectOracle)(bench, alone[row]!, everything, storage);
        }
        for (const rows of TOGETHER) {
          const { steps } = await bench.draw(rows);
          for (const [place, row] of rows.entries())
            expect(bench.rowOf(steps, place)).toEqual(bench.rowOf(alone[row]!, 0));
        }
      }));

    it("counts every byte, on the host and on a device, and frees all", () =>
      onBench(budget, async (bench) => {
        const [host, device] = [await bench.draw([0, 1]), await bench.draw([0, 1], { kind: DeviceCache })];
        for (const { steps, cache } of [host, device]) {
          expectAccount(bench, steps, cache, storage, 2);
          cache.dispose();
          expect(cache.bytes).toBe(0);
        }
        const contents = ({ steps }: typeof host): string[] => steps.map(contentsOf);
        expect(contents(device)).toEqual(contents(host));
      }));

    it("remembers no image: the next one is as in a new cache of a new policy", () =>
      onBench(budget, async (used) => {
        await used.draw([1, 2]);
        const { steps } = await used.draw([0, 3]);
        const others = new Committers();
        const fresh = new Workbench(storage, { policy: make(task, budget).policy, run }, others);
        const { steps: first } = await fresh.draw([0, 3]).finally(() => others.dispose());
        expect([used.rowOf(steps, 0), used.rowOf(steps, 1)]).toEqual([used.rowOf(first, 0), used.rowOf(first, 1)]);
      }));

    it("holds what the full cache holds, to the bit, if the budget covers the history", () =>
      onBench("100%", async (bench) => {
        const { steps } = await bench.draw([0, 1]);
        const { steps: everything } = await bench.draw([0, 1], { plan: bench.fullPlan });
        expect(steps.map(contentsOf)).toEqual(everything.map(contentsOf));
      }));
  });
}

function hex(lanes: readonly Buffer[]): string {
  return Buffer.concat(lanes).toString("hex");
}

/** All that a layer held. */
function contentsOf({ lanes, fine }: Step): string {
  return hex([...lanes, ...fine]);
}

/**
 * Expects of one row, step by step: what stays is what the oracle selects, and what is held are those very tokens as
 * the full cache of the same storage type holds them.
 */
function expectOracle({ plan, slots }: Workbench, steps: readonly Step[], everything: readonly Step[]): void {
  const { heads, layers, dim } = slots;
  const stored = everything.slice(-layers);
  // Of every slot and lane: which tokens of the whole history are in the cache, and what they were given.
  const held = Array.from({ length: layers }, () => Array.from({ length: heads }, (): number[] => []));
  const given = Array.from({ length: layers }, () => Array.from({ length: heads }, (): number[] => []));
  for (const { scale, layer, observed, kept, lanes, fine } of steps) {
    const first = sum(plan.fresh.slice(0, scale));
    const eviction = plan.evictions[scale]![layer]!;
    for (let lane = 0; lane < heads; lane++) {
      const fresh = Array.from({ length: plan.fresh[scale]! }, (_, token) => first + token);
      const tokens = [...held[layer]![lane]!, ...fresh];
      if (eviction.kind === "scored") {
        const keys = laneKeys(slots, stored[layer]!, lane, tokens);
        const earlier = plan.scoring?.cumulative ? given[layer]![lane]! : undefined;
        const judged = { keys, queries: laneOf(observed, lane, heads, dim), dim, earlier };
        expectScored(plan, eviction, judged, kept?.[lane]);
        const scores = givenScores(judged, plan.scoring!);
        given[layer]![lane] = kept![lane]!.map((position) => scores[position]!);
      }
      if (eviction.kind === "fixed") expect(kept?.[lane]).toEqual(eviction.positions);
      const stays = eviction.kind === "none" ? tokens : kept![lane]!.map((position) => tokens[position]!);
      const bytes = stored[layer]!.lanes[lane]!;
      const each = bytes.length / (stored[layer]!.keys.length / (heads * dim));
      const expected = Buffer.concat(stays.map((token) => bytes.subarray(token * each, (token + 1) * each)));
      const where = `scale ${scale}, layer ${layer}, lane ${lane}`;
      expect(lanes[lane]!.equals(expected), where).toBe(true);
      expect(fine[lane]!.equals(fineOf(stored[layer]!.fine[lane]!, stays)), where).toBe(true);
      held[layer]![lane] = stays;
    }
  }
}

/**
 * The second bytes of the first tokens of a cache, given those of the first of all there ever were: a token that was not one
 * of these has none, 0, wherever it comes to lie.
 */
function fineOf(all: Buffer, stays: readonly number[]): Buffer {
  const each = all.length / FINE_TOKENS;
  return Buffer.concat(
    stays
      .slice(0, FINE_TOKENS)
      .map((token) => (token < FINE_TOKENS ? all.subarray(token * each, (token + 1) * each) : Buffer.alloc(each))),
  );
}

/**
 * How far the stored mean of some numbers from −1 to 1 may be from the oracle's: rounding, and half a step of the type. In
 * int8 that is half a step of every coefficient in the stored basis, the largest of which is at most √dim; errors of
 * several seldom meet in one channel.
 */
const MERGE_TOLERANCE: Readonly<Record<StorageType, (dim: number) => number>> = {
  fp32: () => 1e-5,
  fp16: () => 2 ** -11 + 1e-5,
  int8: (dim) => Math.sqrt(dim) / 254 + 1e-5,
};

/** Expects of one row, step by step, that the tokens the oracle selects stay and that the others are merged into them. */
function expectMerged(
  { plan, slots }: Workbench,
  steps: readonly Step[],
  everything: readonly Step[],
  storage: StorageType,
): void {
  const { heads, layers, dim } = slots;
  const last = new Map<number, Step>();
  for (const step of steps) {
    const { scale, layer, observed, kept } = step;
    const [before, all] = [last.get(layer), everything.slice(-layers)[layer]!];
    const first = sum(plan.fresh.slice(0, scale));
    last.set(layer, step);
    const eviction = plan.evictions[scale]![layer]!;
    for (let lane = 0; lane < heads; lane++) {
      const of = (data: Float32Array | undefined, dim: number): Float32Array =>
        data ? laneOf(data, lane, heads, dim) : new Float32Array(0);
      // What was held before, and the scale's own tokens as a cache that keeps everything stores them.
      const joined = (name: "keys" | "values"): Float32Array => {
        const own = of(all[name], dim).subarray(first * dim, (first + plan.fresh[scale]!) * dim);
        return Float32Array.of(...of(before?.[name], dim), ...own);
      };
      const [keys, values] = [joined("keys"), joined("values")];
      const counts = Array.from({ length: keys.length / dim }, (_, i) => Math.exp(of(before?.bias, 1)[i] ?? 0));
      const positions = eviction.kind === "none" ? [...counts.keys()] : kept![lane]!;
      if (eviction.kind === "scored") {
        const judged = { keys, queries: laneOf(observed, lane, heads, dim), dim, counts };
        // Scores of random numbers are far enough from each other.
        expect(positions).toEqual(selectPositions(judged, eviction, plan.scoring!));
      }
      const leastCosine = plan.scoring!.merge!;
      const merged = mergeTokens({ keys, values, counts, scores: counts }, positions, { dim, leastCosine });
      expectNear(of(step.keys, dim), merged.keys, MERGE_TOLERANCE[storage](dim));
      expectNear(of(step.values, dim), merged.values, MERGE_TOLERANCE[storage](dim));
      expectNear(of(step.bias, 1), Float32Array.from(merged.counts, Math.log), 1e-5);
    }
  }
}

function expectNear(found: Float32Array, expected: Float32Array, tolerance: number): void {
  expect(found).toHaveLength(expected.length);
  expect(Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThanOrEqual(tolerance);
}

/** Keys of some tokens of the whole history, [tokens, dim], in one lane. */
function laneKeys({ heads, dim }: Slots, { keys }: Step, lane: number, tokens: readonly number[]): Float32Array {
  return Float32Array.from(
    tokens.flatMap((token) => [...keys.subarray((token * heads + lane) * dim, (token * heads + lane + 1) * dim)]),
  );
}

/** Scores are sums of at most 64 float32 products at each of 6 scales: equal to some 1e-6 of the largest. */
const SCORE_TOLERANCE = 1e-5;

function expectScored({ scoring }: Plan, eviction: Scored, lane: Lane, kept: readonly number[] | undefined): void {
  expect(kept).toEqual(expect.arrayContaining([...eviction.window]));
  expectSelected(kept!, lane, eviction, scoring!, SCORE_TOLERANCE);
}

/**
 * Expects that what the cache says it holds is what its arrays hold, after every layer of every scale, and that its
 * peaks are the largest of those.
 */
function expectAccount(
  { plan, slots }: Workbench,
  steps: readonly Step[],
  { peak }: KvCache,
  storage: StorageType,
  rows: number,
): void {
  const number = rows * slots.heads * Float32Array.BYTES_PER_ELEMENT;
  const counts = plan.scoring?.merge !== undefined ? number : 0;
  const stored = rows * bytesPerToken(storage, slots.heads, slots.dim) + counts;
  const scores = plan.scoring?.cumulative ? number : 0;
  // New tokens come as float32, whatever they are stored as.
  const fresh = rows * bytesPerToken("fp32", slots.heads, slots.dim);
  const fine = (tokens: number): number => rows * bytesOfFine(storage, slots.heads, slots.dim, tokens);
  const layers = new Array<number>(slots.layers).fill(0);
  const held = new Array<number>(slots.layers).fill(0);
  const peaks = { held: 0, during: 0 };
  for (const { scale, layer, bytes, layerBytes, arrayBytes } of steps) {
    const during = sum(held) + plan.fresh[scale]! * fresh;
    const length = plan.lengths[scale]![layer]!;
    layers[layer] = length * stored + fine(length);
    held[layer] = length * (stored + scores) + fine(length);
    expect([bytes, layerBytes]).toEqual([sum(held), layers[layer]]);
    // An array may have room for what is to come, never for what the plan does not keep.
    const most = Math.max(...plan.lengths.slice(scale).map((lengths) => lengths[layer]!));
    expect(arrayBytes).toBeLessThanOrEqual(most * stored + fine(most));
    peaks.held = Math.max(peaks.held, bytes);
    peaks.during = Math.max(peaks.during, during, bytes);
  }
  expect(peak).toEqual(peaks);
  expect(steps.slice(-slots.layers).map(({ arrayBytes }) => arrayBytes)).toEqual(layers);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
