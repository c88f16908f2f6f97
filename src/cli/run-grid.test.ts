import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { task } from "../../test/support/run.js";
import type { RunOverview } from "../sampling/overview.js";
import { chooseRows } from "./run-grid.js";

/** A run of `count` prompts, of which those in `undone` are not drawn. */
function run(count: number, undone: readonly number[] = [], first = 0): Pick<RunOverview, "pictures"> {
  const pictures = Array.from({ length: count }, (_, index) => ({
    task: { ...task(first + index), index },
    state: undone.includes(index) ? ("missing" as const) : ("done" as const),
  }));
  return { pictures };
}

const prompts = (runs: readonly Pick<RunOverview, "pictures">[], pictures: number): string[] =>
  chooseRows(runs, pictures).map(({ prompt }) => prompt);

describe("chooseRows", () => {
  it("spreads prompts over the set, and takes all of a small one", () => {
    expect(prompts([run(100)], 4)).toEqual(["prompt 0", "prompt 25", "prompt 50", "prompt 75"]);
    expect(prompts([run(2), run(2)], 24)).toEqual(["prompt 0", "prompt 1"]);
  });

  it("prefers what every run has drawn, and pairs by prompt and seeds, wherever in its list a run has them", () => {
    const runs = [run(4, [0]), run(4, [1], 1)];
    const [row, ...more] = chooseRows(runs, 24);
    expect([row?.prompt, more.map(({ prompt }) => prompt)]).toEqual(["prompt 1", ["prompt 3"]]);
    expect(row?.cells.map((cell) => cell?.task.index)).toEqual([1, 0]);
  });

  it("shows runs of other prompts one below the other, with gaps", () => {
    const rows = chooseRows([run(1), run(1, [], 7)], 24);
    expect(rows.map(({ cells }) => cells.map((cell) => cell?.task.prompt))).toEqual([
      ["prompt 0", undefined],
      [undefined, "prompt 7"],
    ]);
  });

  it("never has more pictures than asked for, none twice, and no row without one", () => {
    const some = fc.tuple(fc.nat(30), fc.array(fc.nat(30)), fc.nat(3)).map((args) => run(...args));
    fc.assert(
      fc.property(fc.array(some, { minLength: 1, maxLength: 4 }), fc.nat(40), (runs, pictures) => {
        const rows = chooseRows(runs, pictures);
        const shown = rows.flatMap(({ cells }) => cells.filter(Boolean));
        expect(shown.length).toBeLessThanOrEqual(pictures);
        expect(new Set(shown).size).toBe(shown.length);
        expect(rows.every(({ cells }) => cells.some(Boolean))).toBe(true);
      }),
    );
  });
});
