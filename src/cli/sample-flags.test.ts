import { describe, expect, it } from "vitest";
import type { DrawFlags } from "./draw-flags.js";
import { pairedRuns, parseMemory } from "./sample-flags.js";

const FLAGS: DrawFlags = { model: "tiny", device: "cpu" };

describe("pairedRuns", () => {
  it.each<[string, Partial<DrawFlags>]>([
    ["scalekv-0.1", { policy: "scalekv", budget: "10%" }],
    ["scalekv-reference-0.045", { policy: "scalekv", scoring: "reference", budget: "4.5%" }],
    ["h2o-650", { policy: "h2o", budget: "650" }],
    ["snapkv-200MiB-int8", { policy: "snapkv", budget: "200MiB", storage: "int8" }],
    ["hack-my_budget", { policy: "hack", budget: "some/where/my budget.json" }],
    ["full-fp16", { storage: "fp16" }],
  ])("names a folder %s", (name, flags) => {
    const options = { weights: "q8", cache: { policy: "h2o" } } as const;
    const [full, compressed] = pairedRuns({ ...FLAGS, ...flags }, options);
    expect(full).toEqual({ folder: "full", options: { weights: "q8", cache: { policy: "full" } } });
    expect(compressed).toEqual({ folder: name, options });
  });

  it("refuses to pair the full cache with itself", () => {
    expect(() => pairedRuns(FLAGS, {})).toThrow("--pair: needs a --policy with a --budget");
  });
});

describe("parseMemory", () => {
  it("reads sizes in bytes", () => {
    expect(["1KiB", "1.5MiB", "4GiB"].map(parseMemory)).toEqual([1024, 1.5 * 2 ** 20, 4 * 2 ** 30]);
  });

  it.each(["", "4", "4GB", "0MiB", "-1GiB", "GiB"])("refuses %j", (text) => {
    expect(() => parseMemory(text)).toThrow(/^--memory .+: not a size above 0, such as 512MiB or 4GiB$/);
  });
});
