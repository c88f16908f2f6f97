import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { madeUpCalibration } from "../../test/support/calibration.js";
import { GOLDEN } from "../../test/support/golden.js";
import { allocateScaleKV } from "../budget/allocate.js";
import type { Budget } from "../budget/budget.js";
import { historyAfter } from "../budget/maps.js";
import { PRESETS } from "../budget/presets.js";
import { BudgetError, OptionError } from "../errors.js";
import { TRANSFORMER_SIZES } from "../models/catalogue.js";
import { scheduleFor } from "../models/infinity/schedule.js";
import type { Plan } from "./policy.js";
import {
  checkCalibration,
  checkPolicyOptions,
  choosePolicy,
  POLICY_NAMES,
  type CachePolicyOptions,
  type PolicyName,
  type PolicyTask,
  type RolesFrom,
} from "./registry.js";

const { depth, heads, width } = TRANSFORMER_SIZES["2B"];
const SQUARE: PolicyTask = { model: { depth, heads, width }, maps: scheduleFor("1M").maps, tokenBytes: 4096 };

/** A model for which nothing is published, and a schedule with 265 tokens to keep. */
const SMALL: PolicyTask = {
  model: { depth: 4, heads: 4, width: 128 },
  maps: scheduleFor("0.06M").maps,
  tokenBytes: 2 ** 14,
};

function planOf(wish: CachePolicyOptions, task: PolicyTask): Plan {
  const { model, maps } = task;
  return choosePolicy(wish, task).policy.plan({ layers: model.depth, heads: model.heads, maps });
}

/** Roles by which only some layers draft, at every scale. */
function rolesOf(drafters: readonly number[], { model, maps }: PolicyTask): ("drafter" | "refiner")[][] {
  return Array.from({ length: model.depth }, (_, layer) =>
    maps.map(() => (drafters.includes(layer) ? "drafter" : "refiner")),
  );
}

/** A calibrated budget for {@link SMALL}: 24 tokens in all layers but the last, 20 on average. */
const CALIBRATED: Budget = {
  version: 1,
  model: SMALL.model,
  schedule: { ratio: 1, pixels: "0.06M", maps: SMALL.maps },
  window: 4,
  base: 20,
  roles: rolesOf([], SMALL),
  capacities: historyAfter(SMALL.maps).map((tokens) => [24, 24, 24, 8].map((most) => Math.min(most, tokens))),
  made: { by: "a test", prompts: null, seed: null },
};

describe("choosePolicy", () => {
  it.each(POLICY_NAMES)("makes %s, by its name", (policy) => {
    const calibration = madeUpCalibration(SQUARE);
    const chosen = choosePolicy(policy === "full" ? { policy } : { policy, budget: "10%", calibration }, SQUARE);
    expect([chosen.policy.name, chosen.budget]).toEqual([policy, policy === "full" ? undefined : 650]);
  });

  it.each([
    ["10%", 650],
    [0.1, 650],
    ["650", 650],
    [650, 650],
    ["100%", 6425],
    [1e6, 6425],
    // A token takes 4 KiB here.
    ["1MiB", 256],
    ["1.999MiB", 511],
  ])("reads the budget %s as %d tokens a layer", (budget, tokens) => {
    expect(choosePolicy({ policy: "snapkv", budget }, SQUARE).budget).toBe(tokens);
    const { lengths } = planOf({ policy: "snapkv", budget }, SQUARE);
    expect(lengths.at(-1)).toEqual(new Array(depth).fill(tokens));
  });

  it("carries a calibrated budget out, its window as well", () => {
    const { evictions, lengths } = planOf({ policy: "scalekv", budget: CALIBRATED }, SMALL);
    expect(choosePolicy({ policy: "scalekv", budget: CALIBRATED }, SMALL).budget).toBe(20);
    expect(lengths).toEqual(CALIBRATED.capacities);
    expect(evictions.at(-1)!.map((eviction) => eviction.kind === "scored" && eviction.window.length)).toEqual(
      new Array(4).fill(4),
    );
  });

  it("takes no more than the base of a calibrated budget for a policy that has capacities of its own", () => {
    const { lengths } = planOf({ policy: "streaming-llm", budget: CALIBRATED }, SMALL);
    expect(lengths.at(-1)).toEqual([20, 20, 20, 20]);
  });

  it("scores as the paper says, or as the published code does if asked to", () => {
    const scoring = (wish: Pick<CachePolicyOptions, "scoring">) =>
      planOf({ policy: "scalekv", budget: "25%", ...wish }, SMALL).scoring;
    const reference = {
      queries: "projected",
      contribution: "logit",
      pooling: { kind: "max", size: 5 },
      exclusion: "before",
    };
    const paper = {
      queries: "attention",
      contribution: "weight",
      pooling: { kind: "average", size: 5 },
      exclusion: "after",
    };
    expect(scoring({})).toEqual(paper);
    expect(scoring({ scoring: "paper" })).toEqual(paper);
    expect(scoring({ scoring: "reference" })).toEqual(reference);
  });
});

describe("the roles of scalekv", () => {
  it("are told with where they come from", () => {
    const rolesFrom = (budget: string | Budget, task: PolicyTask): RolesFrom | undefined =>
      choosePolicy({ policy: "scalekv", budget }, task).roles;
    expect(rolesFrom(CALIBRATED, SMALL)).toBe("calibration");
    expect(rolesFrom("10%", SQUARE)).toBe("published table");
    expect(rolesFrom("25%", SMALL)).toBe("first layer");
    expect(choosePolicy({ policy: "snapkv", budget: "25%" }, SMALL).roles).toBeUndefined();
  });
});

describe("the model's own calibration", () => {
  const own = madeUpCalibration(SMALL);
  const task = { ...SMALL, calibration: own };

  it("is taken where no other is given, by policies that have use for one", () => {
    for (const policy of ["scalekv", "heatkv", "hack"] as const) {
      expect(choosePolicy({ policy, budget: "25%" }, task).calibration).toBe(own);
      expect(planOf({ policy, budget: "25%" }, task)).toEqual(
        planOf({ policy, budget: "25%", calibration: own }, SMALL),
      );
    }
    expect(choosePolicy({ policy: "scalekv", budget: "25%" }, task).roles).toBe("calibration");
    expect(choosePolicy({ policy: "snapkv", budget: "25%" }, task).calibration).toBeUndefined();
  });

  it("is passed over for another one, for null, and where other maps are drawn", () => {
    const chosen = (wish: CachePolicyOptions, other: PolicyTask = task) =>
      choosePolicy({ policy: "scalekv", ...wish }, other);
    expect(chosen({ budget: CALIBRATED }).calibration).toBe(CALIBRATED);
    expect(chosen({ budget: "25%", calibration: null })).toMatchObject({
      calibration: undefined,
      roles: "first layer",
    });
    for (const maps of [scheduleFor("0.06M", 1.5).maps, scheduleFor("0.25M").maps])
      expect(chosen({ budget: "25%" }, { ...task, maps })).toMatchObject({
        calibration: undefined,
        roles: "first layer",
      });
  });

  it("serves its first scales alone", () => {
    const maps = SMALL.maps.slice(0, -1);
    expect(choosePolicy({ policy: "heatkv", budget: "25%" }, { ...task, maps }).calibration).toBe(own);
  });
});

describe("checkCalibration", () => {
  const line = "policy heatkv: needs a calibration, which tells the heads apart; see scalekv calibrate";

  it("refuses a policy by head without what tells them apart", () => {
    const own = madeUpCalibration(SMALL);
    const wish = { policy: "heatkv", budget: "25%" } as const;
    for (const given of [undefined, CALIBRATED])
      expect(() => {
        checkCalibration(wish, given);
      }).toThrow(new OptionError(line));
    checkCalibration(wish, own);
    checkCalibration({ ...wish, calibration: own }, undefined);
    checkCalibration({ policy: "scalekv", budget: "25%" }, undefined);
    expect(() => {
      checkCalibration({ ...wish, calibration: null }, own);
    }).toThrow(new OptionError(line));
    for (const calibration of [undefined, null])
      expect(() => choosePolicy({ ...wish, calibration }, SMALL)).toThrow(new OptionError(line));
  });
});

describe("checkPolicyOptions", () => {
  it.each<[CachePolicyOptions, string]>([
    [{ policy: "scalekv" }, "policy scalekv: needs a budget, such as 10%"],
    [{ budget: "10%" }, "policy full: keeps everything and takes no budget"],
    [
      { policy: "scalekv", budget: "10%", scoring: "published" as "paper" },
      "scoring published: not one of reference, paper",
    ],
    [{ policy: "all" as "full" }, `policy all: not one of ${POLICY_NAMES.join(", ")}`],
  ])("refuses %j before anything is loaded", (options, line) => {
    expect(() => {
      checkPolicyOptions(options);
    }).toThrow(new OptionError(line));
  });

  it.each<[Partial<CachePolicyOptions>, RegExp]>([
    [{ budget: {} as Budget }, /^budget: not a budget: /],
    [{ budget: null as unknown as Budget }, /^budget: not a budget: /],
    [
      { budget: { ...CALIBRATED, capacities: CALIBRATED.capacities.slice(1) } },
      /^budget: capacities \[scale\]\[layer\]/,
    ],
    [{ budget: "10%", calibration: { ...CALIBRATED, roles: [] } }, /^calibration: not a budget: roles: /],
  ])("refuses a damaged table, case %#", (options, line) => {
    const check = (): void => checkPolicyOptions({ policy: "scalekv", ...options });
    expect(check).toThrow(BudgetError);
    expect(check).toThrow(line);
  });
});

describe("a budget of more tokens than are drawn", () => {
  it("keeps everything, whether it has statistics or not", () => {
    const task = { ...SQUARE, maps: scheduleFor("0.06M").maps };
    const chosen = choosePolicy({ policy: "scalekv", budget: PRESETS[0]!.budget }, task);
    expect(chosen.budget).toBe(265);
    const plan = planOf({ policy: "scalekv", budget: PRESETS[0]!.budget }, task);
    expect(plan.evictions.flat().every(({ kind }) => kind === "none")).toBe(true);
  });
});

describe("capacities of scalekv", () => {
  it.each(["10%", 650])("are the published table for 2B, square, 1M and %s", async (budget) => {
    const file = `${GOLDEN}cases/scalekv-1m-published-2b-budget/case.json`;
    const recorded = JSON.parse(await readFile(file, "utf8")) as {
      scalekv: { cache_sizes: readonly (readonly number[] | null)[] };
    };
    const { lengths } = planOf({ policy: "scalekv", budget }, SQUARE);
    const history = historyAfter(SQUARE.maps);
    // What stays after scale s, from 0, is the row s + 2; without a row, everything stays.
    const expected = history.map(
      (tokens, scale) => recorded.scalekv.cache_sizes[scale + 2] ?? new Array(depth).fill(tokens),
    );
    expect(lengths).toEqual(expected);
  });

  it.each([
    ["another budget", "20%", SQUARE, 1300],
    ["another ratio", 650, { ...SQUARE, maps: scheduleFor("1M", 1.5).maps }, 650],
    ["another size class", 650, { ...SQUARE, maps: scheduleFor("0.60M").maps }, 650],
  ] as const)("are allocated by the published roles for %s of 2B", (_, budget, task, tokens) => {
    const { roles } = PRESETS.find(({ name }) => name === "infinity-2b-10%")!.budget;
    const published = roles.map((row) => task.maps.map((__, scale) => row[scale] ?? "refiner"));
    const common = { maps: task.maps, layers: depth, budget: tokens };
    expect(planOf({ policy: "scalekv", budget }, task).lengths).toEqual(
      allocateScaleKV({ ...common, roles: published }),
    );
  });

  it("are allocated with the first layer alone as drafter for a model without a table", () => {
    const common = { maps: SMALL.maps, layers: 4, budget: 100 };
    const { lengths } = planOf({ policy: "scalekv", budget: 100 }, SMALL);
    expect(lengths).toEqual(allocateScaleKV({ ...common, roles: rolesOf([0], SMALL) }));
    expect(lengths.at(-1)![0]).toBeGreaterThan(lengths.at(-1)![1]!);
  });
});

describe("choosePolicy refuses", () => {
  it.each<[string, CachePolicyOptions, Error]>([
    [
      "a policy that is none",
      { policy: "h3o" as PolicyName, budget: "10%" },
      new OptionError(`policy h3o: not one of ${POLICY_NAMES.join(", ")}`),
    ],
    [
      "a budget that is none",
      { policy: "scalekv", budget: "much" },
      new OptionError("budget much: not a share (10%), tokens a layer (650) or memory (200KiB, 200MiB, 2GiB)"),
    ],
    [
      "a share of nothing",
      { policy: "snapkv", budget: "0.001%" },
      new OptionError("budget 0.001%: not a single one of the 265 tokens of a layer"),
    ],
    [
      "memory below one token",
      { policy: "pyramidkv", budget: "1KiB" },
      new OptionError("budget 0.0009765625MiB: not a single one of the 265 tokens of a layer"),
    ],
    [
      "a budget for another model",
      { policy: "scalekv", budget: { ...CALIBRATED, model: { ...SMALL.model, width: 256 } } },
      new BudgetError("budget: made for depth 4, 4 heads, width 256; the model has depth 4, 4 heads, width 128"),
    ],
    [
      "a budget for another schedule",
      {
        policy: "scalekv",
        budget: {
          ...CALIBRATED,
          schedule: { ...CALIBRATED.schedule, maps: SMALL.maps.slice(0, -1) },
          roles: CALIBRATED.roles.map((layer) => layer.slice(0, -1)),
          capacities: CALIBRATED.capacities.slice(0, -1),
        },
      },
      new BudgetError("budget: made for 0.06M at ratio 1, which has 6 scales; 7 are to be drawn"),
    ],
  ])("%s", (_, wish, error) => {
    expect(() => choosePolicy(wish, SMALL)).toThrow(error);
  });
});
