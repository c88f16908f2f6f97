/** The part of the conformance suite that looks at plans alone; see `policy.case.ts`. */
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { historyAfter, type MapSize } from "../budget/maps.js";
import { scheduleFor, type PixelClass } from "../models/infinity/schedule.js";
import { lengthAfter, type CacheRun, type Eviction, type Plan, type Scoring } from "./policy.js";
import type { ChosenPolicy, PolicyTask } from "./registry.js";

/** Makes the policy for a task under a budget; what it says it keeps on average is checked. */
export type MakePolicy = (task: PolicyTask, budget: string | number) => ChosenPolicy;

/** Infinity 2B, for which there is a published table; a small model; and one with a single layer. */
const MODELS = [
  { depth: 32, heads: 16, width: 2048 },
  { depth: 3, heads: 2, width: 8 },
  { depth: 1, heads: 1, width: 4 },
];

/** 16 tokens are the observation window: the least that there is. */
const BUDGETS = ["10%", "40%", 16];

/** A policy at work on one schedule. */
interface Planned extends ChosenPolicy {
  readonly run: CacheRun;
  readonly plan: Plan;
  /** Layers, or heads of all layers. */
  readonly slots: number;
}

/** The plans for one published size; `fills`: the policy uses its budget in full. */
export function planSuite(make: MakePolicy, ratio: number, pixels: PixelClass, fills: boolean): void {
  const { maps } = scheduleFor(pixels, ratio);
  const history = historyAfter(maps);
  const planned = (budget: string | number): Planned[] => MODELS.map((model) => planFor(make, model, maps, budget));

  // The largest list millions of positions: no more than one size's are held at a time.
  let all: readonly Planned[] = [];
  beforeAll(() => {
    all = BUDGETS.flatMap(planned);
  });
  afterAll(() => {
    all = [];
  });

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
      // Node's own comparison: plans list millions of positions, of which the matcher would look at each for long.
      expect(isDeepStrictEqual(policy.plan(run), plan)).toBe(true);
    }
  });

  it("lets the heads of a layer observe by the same tokens", () => {
    for (const { run, plan } of all) {
      if (plan.headwise) expect(plan.evictions.flatMap((slots) => differingObservers(slots, run.heads))).toEqual([]);
    }
  });

  it("evicts nothing if the budget covers the history", () => {
    for (const { plan } of [...planned("100%"), ...planned(history.at(-1)! + 1)]) {
      expect(plan.evictions.flat().filter(({ kind }) => kind !== "none")).toEqual([]);
    }
  });
}

function planFor(
  make: MakePolicy,
  model: (typeof MODELS)[number],
  maps: readonly MapSize[],
  budget: string | number,
): Planned {
  const chosen = make({ model, maps, tokenBytes: 1 }, budget);
  const run = { layers: model.depth, heads: model.heads, maps };
  const plan = chosen.policy.plan(run);
  return { ...chosen, run, plan, slots: plan.headwise ? run.layers * run.heads : run.layers };
}

/** Layers whose heads, `heads` slots in a row, observe by different tokens. */
function differingObservers(slots: readonly Eviction[], heads: number): number[] {
  const observers = slots.map((slot) => (slot.kind === "scored" ? slot.observers.join() : undefined));
  return Array.from({ length: slots.length / heads }, (_, layer) => layer).filter((layer) => {
    const own = observers.slice(layer * heads, (layer + 1) * heads).filter((tokens) => tokens !== undefined);
    return new Set(own).size > 1;
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

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
