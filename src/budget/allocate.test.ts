import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../errors.js";
import {
  allocateByKind,
  allocatePyramid,
  allocateScaleKV,
  allocateUniform,
  publishedDecay,
  WINDOW,
  windowFor,
  type AllocationTask,
  type Capacities,
} from "./allocate.js";
import { historyAfter } from "./maps.js";
import type { Role } from "./selectivity.js";

type Task = AllocationTask & { roles: (Role | null)[][] };

const side = fc.integer({ min: 1, max: 40 });
const map = fc.record({ height: side, width: side });
const role = fc.constantFrom<Role>("drafter", "refiner");

/** Any schedule, few or many layers, any roles, budgets from one token to more than there is. */
const tasks: fc.Arbitrary<Task> = fc
  .record({
    maps: fc.array(map, { minLength: 2, maxLength: 14 }),
    layers: fc.integer({ min: 1, max: 48 }),
    budget: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 20_000 })),
  })
  .chain((task) => {
    const scales = task.maps.length - 1;
    const row = fc.array(role, { minLength: scales, maxLength: scales }).map((roles) => [null, ...roles]);
    const roles = fc.array(row, { minLength: task.layers, maxLength: task.layers });
    return fc.record({ roles }).map((more) => ({ ...task, ...more }));
  });

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe.each<readonly [string, (task: Task) => Capacities]>([
  ["allocateUniform", allocateUniform],
  ["allocatePyramid", allocatePyramid],
  ["allocateScaleKV", (task) => allocateScaleKV(task)],
  ["allocateByKind", (task) => allocateByKind({ ...task, contextual: task.roles.map((row) => row[1] === "refiner") })],
])("%s", (_, allocate) => {
  it("keeps exactly the uniform total, never below the window, never more than there is", () => {
    fc.assert(
      fc.property(tasks, (task) => {
        const history = historyAfter(task.maps);
        const capacities = allocate(task);
        expect(capacities).toHaveLength(history.length);
        const window = windowFor(task.budget);
        let before: readonly number[] = task.roles.map(() => 0);
        for (const [scale, tokens] of history.entries()) {
          const row = capacities[scale] ?? [];
          const added = tokens - (history[scale - 1] ?? 0);
          expect(row).toHaveLength(task.layers);
          expect(sum(row)).toBe(task.layers * Math.min(task.budget, tokens));
          // What a layer kept before and the new map is all it has.
          const feasible = (capacity: number, layer: number): boolean =>
            Number.isInteger(capacity) && capacity >= Math.min(window, tokens) && capacity <= before[layer]! + added;
          expect(row.filter((capacity, layer) => !feasible(capacity, layer))).toEqual([]);
          before = row;
        }
      }),
      { numRuns: 300 },
    );
  });

  it("keeps everything while the budget covers it", () => {
    const maps = [1, 2, 4, 8].map((length) => ({ height: length, width: length }));
    const roles = [0, 1].map(() => [null, ...Array.from({ length: 3 }, (): Role => "refiner")]);
    const capacities = allocate({ maps, layers: 2, budget: 21, roles });
    expect(capacities).toEqual([
      [1, 1],
      [5, 5],
      [21, 21],
    ]);
  });

  it.each([
    [{ budget: 0 }, "budget 0: not a whole number of tokens a layer from 1"],
    [{ budget: 20.5 }, "budget 20.5: not a whole number of tokens a layer from 1"],
    [{ layers: 0, roles: [] }, "layers 0: not a whole number from 1"],
  ])("refuses %j", (wrong, message) => {
    const maps = [5, 6, 7].map((length) => ({ height: length, width: length }));
    const task = { maps, layers: 1, budget: 20, roles: [[null, "drafter", "drafter"] satisfies (Role | null)[]] };
    expect(() => allocate({ ...task, ...wrong })).toThrow(new OptionError(message));
  });
});

describe("windowFor", () => {
  it("is the published window, or the largest square that leaves half of the budget", () => {
    expect([1, 2, 7, 8, 17, 18, 31, 32, 650].map(windowFor)).toEqual([1, 1, 1, 4, 4, 9, 9, WINDOW, WINDOW]);
  });
});

describe("allocateUniform", () => {
  it("gives every layer the same", () => {
    fc.assert(
      fc.property(tasks, (task) => {
        for (const row of allocateUniform(task)) expect(new Set(row).size).toBe(1);
      }),
    );
  });
});

describe("allocatePyramid", () => {
  it("never gives a layer more than the one before it", () => {
    fc.assert(
      fc.property(tasks, (task) => {
        for (const row of allocatePyramid(task)) expect(row).toEqual(row.toSorted((a, b) => b - a));
      }),
    );
  });

  it("falls evenly from 2m − m/20 to m/20 beyond the window", () => {
    const maps = [40, 40, 40].map((length) => ({ height: length, width: length }));
    // m = 200: 390, 295, 200, 105, 10 and 16 tokens of window each.
    expect(allocatePyramid({ maps, layers: 5, budget: 216 })[1]).toEqual([406, 311, 216, 121, 26]);
  });
});

describe("allocateScaleKV", () => {
  const square = (...sides: number[]) => sides.map((length) => ({ height: length, width: length }));

  it("gives a drafter no less than a refiner where all have the same room", () => {
    fc.assert(
      fc.property(tasks, (task) => {
        // Until something is evicted all layers hold the same.
        const scale = historyAfter(task.maps).findIndex((tokens) => tokens > task.budget);
        fc.pre(scale >= 0);
        const row = allocateScaleKV(task)[scale] ?? [];
        const of = (wanted: Role) => row.filter((_, layer) => task.roles[layer]?.[scale + 1] === wanted);
        // Remainders go to the first layers of either side: one token is the most by which a refiner can be ahead.
        expect(Math.min(...of("drafter"), Infinity) + 1).toBeGreaterThanOrEqual(Math.max(...of("refiner"), 0));
      }),
    );
  });

  it("reads the roles of the scale that follows", () => {
    const roles: (Role | null)[][] = [
      [null, "drafter", "refiner", "refiner"],
      [null, "refiner", "drafter", "refiner"],
    ];
    const task = { maps: square(10, 10, 10, 10), layers: 2, budget: 50, roles };
    const decay = { start: 40, decay: 10, least: 16 };
    expect(allocateScaleKV(task, decay)).toEqual([
      [60, 40],
      [30, 70],
      [50, 50],
    ]);
  });

  it("lets refiners fall to the window and no further", () => {
    const roles: (Role | null)[][] = [
      [null, "drafter", "drafter"],
      [null, "refiner", "refiner"],
    ];
    const task = { maps: square(10, 10, 10), layers: 2, budget: 50, roles };
    expect(allocateScaleKV(task, { start: 0, decay: 0, least: 0 })).toEqual([
      [84, 16],
      [84, 16],
    ]);
  });

  it("returns what drafters have no room for", () => {
    const roles: (Role | null)[][] = [
      [null, "drafter"],
      [null, "refiner"],
      [null, "refiner"],
      [null, "refiner"],
    ];
    // 4 × 90 tokens, refiners at 62 or fewer save 84: the drafter has room for 10 of them, 100 in all.
    expect(allocateScaleKV({ maps: square(10, 10), layers: 4, budget: 90, roles })[0]).toEqual([100, 87, 87, 86]);
  });

  it("scales the paper's numbers with the budget", () => {
    expect(publishedDecay(650)).toEqual({ start: 600, decay: 70, least: 200 });
    expect(publishedDecay(1300)).toEqual({ start: 1200, decay: 140, least: 400 });
  });

  it("leaves refiners five windows where the budget has them", () => {
    expect(publishedDecay(265).least).toBeCloseTo(81.5, 1);
    expect(publishedDecay(151).least).toBe(80);
    expect(publishedDecay(60).least).toBe(60);
  });

  it("refuses roles that do not answer", () => {
    const task = { maps: square(10, 10), layers: 1, budget: 50 };
    expect(() => allocateScaleKV({ ...task, roles: [] })).toThrow(new OptionError("roles: of 0 layers, not of 1"));
    expect(() => allocateScaleKV({ ...task, roles: [[null]] })).toThrow(
      new OptionError("roles: layer 0 has none at scale 1, which reads an evicted cache"),
    );
  });
});

describe("capacities of heads", () => {
  /** Histories of 1, 5, 21, 57, 121 and 265 tokens. */
  const maps = [1, 2, 4, 6, 8, 12, 16].map((side) => ({ height: side, width: side }));

  it("are half of the mean for contextual heads, and what that leaves for structural ones", () => {
    const contextual = [true, false, true, false];
    expect(allocateByKind({ maps, layers: 4, budget: 60, contextual }).at(-1)).toEqual([30, 90, 30, 90]);
    expect(allocateByKind({ maps, layers: 4, budget: 5, contextual }).at(-1)).toEqual([3, 7, 3, 7]);
  });
});
