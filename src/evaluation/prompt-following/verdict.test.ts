import { describe, expect, it } from "vitest";
import type { Asked, Aspect } from "./asked.js";
import type { Reading } from "./reader.js";
import { tally } from "./tally.js";
import { judge } from "./verdict.js";

const ASKED: Asked = {
  ...{ id: "two-00", category: "two", prompt: "", kind: "two", names: ["star", "sun"], count: 1 },
  ...{
    check: ["names", "count", "relation", "style", "background"],
    relation: "above",
    style: "flat",
    background: ["red"],
  },
};

const object = (name: string, style = "flat"): Reading["objects"][number] => {
  return { name, style, unexplained: 0, rivalry: 0 };
};

const SEEN: Reading = {
  ...{ objects: [object("star"), object("sun")], relation: "above", background: ["red"], beside: 0, clear: true },
};

describe("judge", () => {
  it("accepts what was asked", () => {
    expect(judge(ASKED, SEEN)).toEqual({ shown: true, missing: [] });
  });

  it.each<[aspect: Aspect, seen: Partial<Reading>]>([
    ["style", { objects: [object("star"), object("sun", "cartoon")] }],
    ["background", { background: ["blue"] }],
    ["background", { background: ["red", "blue"] }],
    ["background", { background: undefined }],
    ["relation", { relation: "left of" }],
    ["relation", { objects: [object("sun"), object("star")] }],
    ["names", { objects: [object("star"), object("star")] }],
    ["names", { objects: [object("star"), object("moon")] }],
  ])("misses the %s of %j, where it is asked for", (aspect, seen) => {
    const reading = { ...SEEN, ...seen };
    expect(judge(ASKED, reading)).toEqual({ shown: false, missing: [aspect] });
    const rest = { ...ASKED, check: ASKED.check.filter((one) => one !== aspect) };
    expect(judge(rest, reading)).toEqual({ shown: true, missing: [] });
  });

  it("counts objects of one kind", () => {
    const three: Asked = { ...ASKED, kind: "some", names: ["star"], count: 3, check: ["names", "count"] };
    const stars = (count: number): Reading => ({ ...SEEN, objects: new Array(count).fill(object("star")) });
    expect(judge(three, stars(3)).shown).toBe(true);
    expect(judge(three, stars(2))).toEqual({ shown: false, missing: ["count"] });
    expect(judge(three, stars(4))).toEqual({ shown: false, missing: ["count"] });
  });

  it("refuses what is unclear, and says what it is nearest to", () => {
    expect(judge(ASKED, { ...SEEN, clear: false })).toEqual({ shown: false, missing: [] });
    expect(judge(ASKED, { ...SEEN, clear: false, background: ["blue"] })).toEqual({
      shown: false,
      missing: ["background"],
    });
  });
});

describe("tally", () => {
  it("counts by category in the order of the prompts, then all", () => {
    const one = (category: string, shown: boolean, missing: readonly Aspect[] = []) => {
      return { asked: { category }, shown, missing };
    };
    const judged = [one("two", true), one("count", false, ["count"]), one("two", false), one("two", false, ["names"])];
    expect(tally(judged)).toMatchObject([
      { category: "two", right: 1, of: 3, unclear: 1 },
      { category: "count", right: 0, of: 1, unclear: 0 },
      { category: "all", right: 1, of: 4, share: 0.25, unclear: 1 },
    ]);
  });
});
