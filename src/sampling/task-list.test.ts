import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { task, tasks } from "../../test/support/run.js";
import { formatTasks, parseShard, parseTasks, shiftSeeds, tasksOf } from "./task-list.js";

describe("a task list", () => {
  it("is read as it was written, whatever the prompts say", () => {
    const seeds = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 4 });
    const list = fc
      .array(fc.tuple(fc.string({ unit: "binary" }), seeds), { minLength: 1 })
      .map((all) => all.map(([prompt, own], index) => ({ index, prompt, seeds: own, file: `a/${index}.png` })));
    fc.assert(
      fc.property(list, (all) => {
        expect(parseTasks(formatTasks(all), "list")).toEqual(all);
      }),
    );
  });

  it.each<readonly [string, string]>([
    ["a line that is not JSON", "x\n"],
    ["another order", formatTasks([task(1), task(0)])],
    ["a gap", formatTasks([task(0), task(2)])],
    ["two tasks with one file", formatTasks([task(0), { ...task(1), file: "0.png" }])],
    ["no seed", formatTasks([{ ...task(0), seeds: [] }])],
    ["a seed beyond 32 bits", formatTasks([{ ...task(0), seeds: [2 ** 32] }])],
    ...["../0.png", "/0.png", "a//0.png", "a/.b/0.png", "C:0.png", "a\\0.png", "a\n.png", "0.gif", "manifest.json"].map(
      (file) => [`the file ${JSON.stringify(file)}`, formatTasks([{ ...task(0), file }])] as const,
    ),
  ])("is refused for %s", (_, text) => {
    expect(() => parseTasks(text, "list")).toThrow(/^list: line [12]: damaged$/);
  });
});

describe("shards", () => {
  it("are disjoint and make the whole", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 1, max: 9 }), (length, count) => {
        const all = tasks(length);
        const parts = Array.from({ length: count }, (_, number) => tasksOf(all, { number, count }));
        expect(parts.flat().sort((a, b) => a.index - b.index)).toEqual(all);
      }),
    );
  });

  it("are named i/n", () => {
    expect(parseShard("3/8")).toEqual({ number: 3, count: 8 });
    for (const text of ["8/8", "1", "-1/2", "a/b", "1/2/3", "0/0", "1.5/3", ""]) {
      expect(() => parseShard(text)).toThrow(`--shard ${text}: not NUMBER/COUNT`);
    }
  });
});

it("adds an offset to every seed; past the last comes the first", () => {
  expect(shiftSeeds([{ ...task(0), seeds: [0, 2 ** 32 - 1] }], 2)).toEqual([{ ...task(0), seeds: [2, 1] }]);
});
