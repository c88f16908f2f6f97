/**
 * What every policy must hold to, whatever it keeps. A new policy is put through all of this by one line of
 * `policies/conformance.test.ts`. First its plans, for every size that is published; then what the caches make of them,
 * with random numbers for keys, values and queries.
 */
import { describe, expect, it } from "vitest";
import { drawNoise, type Step } from "../../test/support/cache-run.js";
import { expectSelected, laneOf } from "../../test/support/cache.js";
import { parseAmount, resolveAmount } from "../budget/amount.js";
import { historyAfter } from "../budget/maps.js";
import { CPU_TARGET } from "../graph/model.js";
import { PIXEL_CLASSES, scheduleFor, type PixelClass } from "../models/infinity/schedule.js";
import { Committer } from "./committer.js";
import { DeviceCache } from "./device-cache.js";
import { HostCache } from "./host-cache.js";
import type { KvCache } from "./kv-cache.js";
import { givenScores, type Lane } from "./oracle.js";
import { full } from "./policies/full.js";
import { byHead, lengthAfter, type CacheRun, type Eviction, type Plan, type Scored, type Scoring } from "./policy.js";
import type { ChosenPolicy, PolicyTask } from "./registry.js";
import { bytesPerToken, STORAGE_TYPES, type StorageType } from "./storage.js";

/** Makes the policy for a task under a budget; what it says it keeps on average is checked. */
export type MakePolicy = (task: PolicyTask, budget: string | number) => ChosenPolicy;

/** Infinity 2B, for which there is a published table; a small model; and one with a single layer. */
const MODELS = [
  { depth: 32, heads: 16, width: 2048 },
  { depth: 3, heads: 2, width: 8 },
  { depth: 1, heads: 1, width: 4 },
];

/** Square, nearly square, and the tallest and widest there are; height / width. */
const RATIOS = [1, 0.8, 3, 0.333];

/** 16 tokens are the observation window: the least that there is. */
const BUDGETS = ["10%", "40%", 16];

/** What a policy cannot help. */
export interface Allowances {
  /** It uses its budget in full; default true. Otherwise it leaves less than the history of one head. */
  readonly fills?: boolean;
  /** The least tokens a layer that it can work with; default the observation window. */
  readonly least?: number;
}

/** The suite. */
export function conformance(name: string, make: MakePolicy, allowances: Allowances = {}): void {
  const { least = 16 } = allowances;
  const made: MakePolicy = (task, budget) => make(task, atLeast(budget, least, task));
  describe(name, () => {
    describe.each(RATIOS)("at ratio %d", (ratio) => {
      describe.each(PIXEL_CLASSES)("and %s", (pixels) => {
        planSuite(made, ratio, pixels, allowances);
      });
    });
    describe.each(STORAGE_TYPES)("stored as %s", (storage) => {
      cacheSuite(made, storage);
    });
  });
}

/** The budget or, where that is smaller, `least` tokens. */
function atLeast(budget: string | number, least: number, { maps }: PolicyTask): string | number {
  const tokens = resolveAmount(parseAmount(budget), { maps, window: 1 });
  return tokens < least ? least : budget;
}

/** A policy at work on one schedule. */
interface Planned extends ChosenPolicy {
  readonly run: CacheRun;
  readonly plan: Plan;
  /** Layers, or heads of all layers. */
  readonly slots: number;
}

function planSuite(make: MakePolicy, ratio: number, pixels: PixelClass, { fills = true }: Allowances): void {
  const { maps } = scheduleFor(pixels, ratio);
  const history = historyAfter(maps);
  const planned = (budget: string | number): Planned[] =>
    MODELS.map((model) => {
      const chosen = make({ model, maps, tokenBytes: 1 }, budget);
      const run = { layers: model.depth, heads: model.heads, maps };
      const plan = chosen.policy.plan(run);
      return { ...chosen, run, plan, slots: plan.headwise ? run.layers * run.heads : run.layers };
    });

  const all = BUDGETS.flatMap(planned);

  it("plans every scale but the last, for every layer or head", () => {
    for (const { slots, plan } of all) {
      expect(plan.fresh).toEqual(history.map((tokens, scale) => tokens - (history[scale - 1] ?? 0)));
      expect(plan.evictions.map(({ length }) => length)).toEqual(history.map(() => slots));
      expect(plan.lengths).toEqual(lengthsOf(plan));
    }
  });

  it("keeps what is there: positions sorted, each once and in range, and a window that is looked after", () => {
    for (const { plan } of all) expect(problemsOf(plan)).toEqual([]);
  });

  it("uses its budget in full and never exceeds it", () => {
    for (const { slots, plan, budget = Infinity } of all) {
      for (const [scale, lengths] of plan.lengths.entries()) {
        const unused = slots * Math.min(history[scale]!, budget) - sum(lengths);
        // What does not divide evenly goes to the first layers.
        if (fills) expect(unused).toBe(0);
        expect(unused).toBeGreaterThanOrEqual(0);
        expect(unused).toBeLessThan(history[scale]!);
      }
    }
  });

  it("gives the same plan for the same run, whatever it planned before", () => {
    for (const { policy, run, plan } of all) {
      policy.plan({ ...run, maps: maps.slice(0, -1) });
      policy.plan({ ...run, layers: Math.ceil(run.layers / 2) });
      expect(JSON.stringify(policy.plan(run))).toBe(JSON.stringify(plan));
    }
  });

  it("lets the heads of a layer observe by the same tokens", () => {
    for (const { run, plan } of all) {
      if (!plan.headwise) continue;
      for (const slots of plan.evictions) {
        for (let layer = 0; layer < run.layers; layer++) {
          const heads = slots.slice(layer * run.heads, (layer + 1) * run.heads);
          const observers = heads.flatMap((head) => (head.kind === "scored" ? [head.observers.join()] : []));
          expect(new Set(observers).size).toBeLessThanOrEqual(1);
        }
      }
    }
  });

  it("evicts nothing if the budget covers the history", () => {
    for (const { plan } of [...planned("100%"), ...planned(history.at(-1)! + 1)]) {
      expect(plan.evictions.flat().filter(({ kind }) => kind !== "none")).toEqual([]);
    }
  });
}

/** Lengths that follow from a plan's evictions. */
function lengthsOf({ evictions, fresh }: Plan): number[][] {
  let lengths = evictions[0]!.map(() => 0);
  return evictions.map((layers, scale) => {
    lengths = layers.map((eviction, layer) => lengthAfter(eviction, lengths[layer]! + fresh[scale]!));
    return lengths;
  });
}

/** Everything that is wrong with the evictions of a plan. */
function problemsOf({ evictions, lengths, fresh, scoring }: Plan): string[] {
  return evictions.flatMap((slots, scale) =>
    slots.flatMap((eviction, slot) => {
      const length = (lengths[scale - 1]?.[slot] ?? 0) + fresh[scale]!;
      const always = evictions.map((row) => row[slot]!.kind);
      const problem = ruleProblem(scoring, always) ?? problemOf(eviction, length, fresh[scale]!);
      return problem ? [`scale ${scale}, slot ${slot}: ${problem}`] : [];
    }),
  );
}

/** What is judged needs a rule, and by a rule that adds up it must be judged after every scale. */
function ruleProblem(scoring: Scoring | undefined, kinds: readonly Eviction["kind"][]): string | undefined {
  if (!kinds.includes("scored")) return undefined;
  if (!scoring) return "no scoring rule";
  return scoring.cumulative && kinds.some((kind) => kind !== "scored") ? "scores with gaps" : undefined;
}

function problemOf(eviction: Eviction, length: number, fresh: number): string | undefined {
  switch (eviction.kind) {
    case "none":
      return undefined;
    case "fixed":
      return rangeProblem("positions", eviction.positions, length);
    case "scored": {
      const { capacity, window, observers } = eviction;
      if (window.length > capacity) return `window of ${window.length} tokens, capacity ${capacity}`;
      if (capacity > length) return `capacity ${capacity} of ${length} tokens`;
      if (observers.length === 0) return "no observers";
      if (observers.some((token) => token < 0 || token >= fresh)) return `observers ${observers.join()} of ${fresh}`;
      return rangeProblem("window", window, length);
    }
  }
}

function rangeProblem(what: string, positions: readonly number[], length: number): string | undefined {
  const sorted = positions.every((position, i) => i === 0 || position > positions[i - 1]!);
  const inside = positions.every((position) => Number.isInteger(position) && position >= 0 && position < length);
  return sorted && inside ? undefined : `${what} ${positions.join()} of ${length}`;
}

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
const ROWS = [0, 1, 2, 3];
const TOGETHER = [
  [0, 1],
  [3, 1, 0, 2],
];

/** A policy's caches in one storage type. */
class Workbench {
  readonly plan: Plan;
  /** Everything stays, in the same slots. */
  readonly fullPlan: Plan;
  readonly slots: Slots;
  readonly committer: Committer;

  constructor(
    private readonly storage: StorageType,
    { policy, run }: Pick<Planned, "policy" | "run">,
  ) {
    this.plan = policy.plan(run);
    this.fullPlan = this.plan.headwise ? byHead(full.plan(run), run.heads) : full.plan(run);
    this.slots = slotsOf(this.plan);
    this.committer = new Committer({ ...this.slots, storage, target: CPU_TARGET }, { device: "cpu" });
  }

  /** An image, and the cache that held it. */
  async draw(
    rows: readonly number[],
    { plan = this.plan, kind: Cache = HostCache }: { plan?: Plan; kind?: typeof HostCache | typeof DeviceCache } = {},
  ): Promise<{ steps: Step[]; cache: KvCache }> {
    const cache = new Cache({ ...this.slots, storage: this.storage, rows: rows.length, plan }, this.committer);
    return { steps: await drawNoise({ ...this.slots, cache, plan, rows }), cache };
  }

  /** One row of all steps, to be compared: what stayed and what is held. */
  rowOf(steps: readonly Step[], row: number): unknown {
    const { heads } = this.slots;
    const part = <T>(lanes: readonly T[]): T[] => lanes.slice(row * heads, (row + 1) * heads);
    return steps.map(({ kept, lanes }) => ({ kept: kept && JSON.stringify(part(kept)), held: hex(part(lanes)) }));
  }
}

function cacheSuite(make: MakePolicy, storage: StorageType): void {
  describe.each(DRAWN)("ratio $ratio, budget $budget", ({ ratio, budget }) => {
    const { maps } = scheduleFor("0.06M", ratio);
    const { layers, heads, dim } = SMALL;
    const run: CacheRun = { layers, heads, maps };
    const task = { model: { depth: layers, heads, width: heads * dim }, maps, tokenBytes: 1 };
    const onBench = async (wish: string | number, test: (bench: Workbench) => Promise<void>): Promise<void> => {
      const bench = new Workbench(storage, { policy: make(task, wish).policy, run });
      await test(bench).finally(() => bench.committer.dispose());
    };

    it("keeps the stored tokens that the oracle selects, row by row, whatever is beside them", () =>
      onBench(budget, async (bench) => {
        const alone: Step[][] = [];
        for (const row of ROWS) {
          const { steps: everything } = await bench.draw([row], { plan: bench.fullPlan });
          alone.push((await bench.draw([row])).steps);
          expectOracle(bench, alone[row]!, everything);
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
        const contents = ({ steps }: typeof host): string[] => steps.map(({ lanes }) => hex(lanes));
        expect(contents(device)).toEqual(contents(host));
      }));

    it("remembers no image: the next one is as in a new cache of a new policy", () =>
      onBench(budget, async (used) => {
        await used.draw([1, 2]);
        const { steps } = await used.draw([0, 3]);
        await onBench(budget, async (fresh) => {
          const { steps: first } = await fresh.draw([0, 3]);
          expect([used.rowOf(steps, 0), used.rowOf(steps, 1)]).toEqual([used.rowOf(first, 0), used.rowOf(first, 1)]);
        });
      }));

    it("holds what the full cache holds, to the bit, if the budget covers the history", () =>
      onBench("100%", async (bench) => {
        const { steps } = await bench.draw([0, 1]);
        const { steps: everything } = await bench.draw([0, 1], { plan: bench.fullPlan });
        expect(steps.map(({ lanes }) => hex(lanes))).toEqual(everything.map(({ lanes }) => hex(lanes)));
      }));
  });
}

function hex(lanes: readonly Buffer[]): string {
  return Buffer.concat(lanes).toString("hex");
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
  for (const { scale, layer, observed, kept, lanes } of steps) {
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
      expect(lanes[lane]!.equals(expected), `scale ${scale}, layer ${layer}, lane ${lane}`).toBe(true);
      held[layer]![lane] = stays;
    }
  }
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
  const stored = rows * bytesPerToken(storage, slots.heads, slots.dim);
  const scores = plan.scoring?.cumulative ? rows * slots.heads * Float32Array.BYTES_PER_ELEMENT : 0;
  // New tokens come as float32, whatever they are stored as.
  const fresh = rows * bytesPerToken("fp32", slots.heads, slots.dim);
  const layers = new Array<number>(slots.layers).fill(0);
  const held = new Array<number>(slots.layers).fill(0);
  const peaks = { held: 0, during: 0 };
  for (const { scale, layer, bytes, layerBytes, arrayBytes } of steps) {
    const during = sum(held) + plan.fresh[scale]! * fresh;
    layers[layer] = plan.lengths[scale]![layer]! * stored;
    held[layer] = plan.lengths[scale]![layer]! * (stored + scores);
    expect([bytes, layerBytes]).toEqual([sum(held), layers[layer]]);
    // An array may have room for what is to come, never for what the plan does not keep.
    const most = Math.max(...plan.lengths.slice(scale).map((lengths) => lengths[layer]!)) * stored;
    expect(arrayBytes).toBeLessThanOrEqual(most);
    peaks.held = Math.max(peaks.held, bytes);
    peaks.during = Math.max(peaks.during, during, bytes);
  }
  expect(peak).toEqual(peaks);
  expect(steps.slice(-slots.layers).map(({ arrayBytes }) => arrayBytes)).toEqual(layers);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
