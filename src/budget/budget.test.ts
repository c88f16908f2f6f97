import { describe, expect, it } from "vitest";
import { BudgetError } from "../errors.js";
import { checkBudget, fitBudget, formatBudget, parseBudget, type Budget } from "./budget.js";

const square = (...sides: number[]) => sides.map((side) => ({ height: side, width: side }));

/** Two layers of two heads, four scales, everything a budget can say. */
const BUDGET: Budget = {
  version: 1,
  model: { depth: 2, heads: 2, width: 8 },
  schedule: { ratio: 1, pixels: "0.25M", maps: square(1, 4, 5, 6) },
  window: 16,
  base: 20,
  roles: [
    [null, null, "drafter", "refiner"],
    [null, null, "refiner", "refiner"],
  ],
  capacities: [
    [1, 1],
    [17, 17],
    [24, 16],
  ],
  statistics: {
    asi: [
      [null, 0.5, 0.25, 0.125],
      [null, 0.5, 0.75, 0.5],
    ],
    z: [
      [null, 0, -1, -1],
      [null, 0, 1, 1],
    ],
  },
  segments: {
    mass: [
      [
        [0.5, 0.25, 0.125],
        [0.5, 0.25, 0.5],
      ],
      [
        [0.5, 0.75, 0.25],
        [0.5, 0.5, 0.25],
      ],
    ],
    sinks: 1,
    order: [
      [0, 1, 3, 2],
      [0, 2, 3, 1],
    ],
  },
  made: { by: "calibrate", prompts: "0123456789abcdef".repeat(4), seed: 7 },
};

describe("a budget's text", () => {
  it("is the same whatever the order of the fields, and reads back as it was", () => {
    const text = formatBudget(BUDGET, "b.json");
    const { version, model, ...rest } = BUDGET;
    const { depth, heads, width } = model;
    expect(formatBudget({ ...rest, model: { width, heads, depth }, version }, "b.json")).toBe(text);
    expect(parseBudget(text, "b.json")).toEqual(BUDGET);
  });

  it("has a line for every row", () => {
    const { statistics, segments, ...rest } = BUDGET;
    expect([statistics, segments]).not.toContain(undefined);
    expect(formatBudget(rest, "b.json")).toBe(`{
  "version": 1,
  "model": { "depth": 2, "heads": 2, "width": 8 },
  "schedule": {
    "ratio": 1,
    "pixels": "0.25M",
    "maps": [
      { "height": 1, "width": 1 },
      { "height": 4, "width": 4 },
      { "height": 5, "width": 5 },
      { "height": 6, "width": 6 }
    ]
  },
  "window": 16,
  "base": 20,
  "roles": [
    [null, null, "drafter", "refiner"],
    [null, null, "refiner", "refiner"]
  ],
  "capacities": [
    [1, 1],
    [17, 17],
    [24, 16]
  ],
  "made": { "by": "calibrate", "prompts": "${"0123456789abcdef".repeat(4)}", "seed": 7 }
}
`);
  });
});

/** Every case: what is wrong with the budget, and the line that says so. */
const REFUSED: readonly (readonly [wrong: object, line: string])[] = [
  [{ version: 2 }, "not a budget: version: Invalid input: expected 1"],
  [{ extra: 1 }, 'not a budget: : Unrecognized key: "extra"'],
  [{ base: 0.5 }, "not a budget: base: Invalid input: expected int, received number"],
  [{ made: { by: "x", prompts: "abc", seed: null } }, "not a budget: made.prompts: not a SHA-256 in hexadecimal"],
  [{ roles: BUDGET.roles.slice(1) }, "roles [layer][scale]: number of rows 1, not 2"],
  [{ roles: BUDGET.roles.map((row) => row.slice(1)) }, "roles [layer][scale]: a row of length 3, not 4"],
  [{ capacities: BUDGET.capacities.slice(1) }, "capacities [scale][layer]: number of rows 2, not 3"],
  [
    {
      capacities: [
        [1, 1],
        [17, 15],
        [24, 16],
      ],
    },
    "capacity 15 of layer 1 after scale 1: not from 16 to 17 tokens",
  ],
  [
    {
      capacities: [
        [1, 1],
        [17, 17],
        [43, 16],
      ],
    },
    "capacity 43 of layer 0 after scale 2: not from 16 to 42 tokens",
  ],
  [
    { statistics: { ...BUDGET.statistics, z: [[null]] } },
    "not a budget: statistics.z.0: Too small: expected array to have >=2 items",
  ],
  [{ segments: { ...BUDGET.segments, sinks: 2 } }, "segments.order [scale][slot]: number of rows 2, not 1"],
  [
    {
      segments: {
        ...BUDGET.segments,
        order: [
          [0, 1, 2, 3],
          [0, 1, 2, 2],
        ],
      },
    },
    "segments.order 1 does not name each of 4 slots once",
  ],
  [
    {
      segments: {
        ...BUDGET.segments,
        order: [
          [0, 1, 2, 4],
          [0, 1, 2, 3],
        ],
      },
    },
    "segments.order 0 does not name each of 4 slots once",
  ],
];

describe("checkBudget", () => {
  it.each(REFUSED)("refuses %j", (wrong, line) => {
    expect(() => checkBudget({ ...BUDGET, ...wrong }, "b.json")).toThrow(new BudgetError(`b.json: ${line}`));
  });

  it.each(["", "{", "null", "[]"])("refuses the text %j", (text) => {
    expect(() => parseBudget(text, "b.json")).toThrow(
      /^b\.json: (is not JSON|not a budget: : Invalid input: expected object.*)$/,
    );
  });
});

describe("fitBudget", () => {
  const { model, schedule } = BUDGET;

  it("is the budget itself for what it was made for", () => {
    expect(fitBudget(BUDGET, model, schedule.maps, "b.json")).toBe(BUDGET);
  });

  it("cuts to a smaller size class of the same ratio", () => {
    const cut = fitBudget(BUDGET, model, schedule.maps.slice(0, 3), "b.json");
    // A whole budget by every check: the last scale of the cut keeps nothing.
    expect(checkBudget(cut, "cut")).toEqual(cut);
    expect(cut.capacities).toEqual([
      [1, 1],
      [17, 17],
    ]);
    expect(cut.roles[0]).toEqual([null, null, "drafter"]);
    expect(cut.statistics?.z[1]).toEqual([null, 0, 1]);
    expect(cut.segments?.order).toEqual([[0, 1, 3, 2]]);
    expect(cut.segments?.mass[1]?.[0]).toEqual([0.5, 0.75]);
  });

  it.each([
    [
      { ...model, heads: 4 },
      schedule.maps,
      "made for depth 2, 2 heads, width 8; the model has depth 2, 4 heads, width 8",
    ],
    [model, square(1, 4, 5, 6, 8), "made for 0.25M at ratio 1, which has 4 scales; 5 are to be drawn"],
    [
      model,
      [
        { height: 1, width: 1 },
        { height: 4, width: 3 },
      ],
      "made for 0.25M at ratio 1, where map 1 is 4x4; 3x4 is to be drawn",
    ],
  ])("refuses another model or schedule", (otherModel, maps, line) => {
    expect(() => fitBudget(BUDGET, otherModel, maps, "b.json")).toThrow(new BudgetError(`b.json: ${line}`));
  });
});
