import { describe, expect, it } from "vitest";
import { BudgetError } from "../errors.js";
import { cacheSizes, parsePublishedTable, publishedCapacities, publishedRoles } from "./published.js";

const JSON_TABLE = {
  "Scale 4": { "Block 0": 1, "Block 1": 0, High: 1, Max: 40, Min: 18, Limit: 41 },
  "Scale 3": { "Block 0": 0, "Block 1": 1, High: 1, Max: 17, Min: 16, Limit: 17 },
};
const TABLE = {
  layers: 2,
  rows: [
    { scale: 3, max: 17, min: 16, drafters: [1] },
    { scale: 4, max: 40, min: 18, drafters: [0] },
  ],
};
const MAPS = [1, 4, 5, 6].map((side) => ({ height: side, width: side }));

describe("parsePublishedTable", () => {
  it("reads the rows in order, whatever their order in the file", () => {
    expect(parsePublishedTable(JSON_TABLE, "t.json")).toEqual(TABLE);
  });

  it.each([
    [[], "not a published budget table: : Invalid input: expected record, received array"],
    [{}, "not a published budget table: it names no layers"],
    [{ "Scale 3": { Max: 1, Min: 1 } }, "not a published budget table: it names no layers"],
    [{ "Scale 3": { "Block 0": 1, Max: 1 } }, /^t\.json: not a published budget table: Scale 3, Min: Invalid input/],
    [{ "Scale 0": {} }, "not a published budget table: Scale 0: Invalid key in record"],
    [{ "Scale 3": { "Block 0": 2, Max: 1, Min: 1 } }, "Scale 3, Block 0: neither 0 nor 1"],
    [{ "Scale 3": { "Block 0": 1, "Block 2": 1, Max: 1, Min: 1 } }, "Scale 3, Block 1: neither 0 nor 1"],
    [{ ...JSON_TABLE, "Scale 5": { "Block 0": 1, Max: 1, Min: 1 } }, "Scale 5 has 1 blocks, not 2"],
  ])("refuses %j", (json, line) => {
    const expected = typeof line === "string" ? new BudgetError(`t.json: ${line}`) : line;
    expect(() => parsePublishedTable(json, "t.json")).toThrow(expected);
  });
});

describe("the published rule", () => {
  it("names a row after the scale that reads what it keeps", () => {
    expect(cacheSizes(TABLE)).toEqual([null, null, null, [16, 17], [40, 18]]);
    expect(publishedRoles(TABLE, 4)).toEqual([
      [null, null, "refiner", "drafter"],
      [null, null, "drafter", "refiner"],
    ]);
  });

  it("evicts nothing until the base is exceeded, and never names more than there is", () => {
    const capacities = (base: number) => publishedCapacities(cacheSizes(TABLE), { maps: MAPS, layers: 2, base });
    expect(capacities(17)).toEqual([
      [1, 1],
      [17, 17],
      [40, 18],
    ]);
    expect(capacities(16)[1]).toEqual([16, 17]);
    expect(capacities(100)[2]).toEqual([42, 42]);
    expect(publishedCapacities([null, null, null, null, [99, 18]], { maps: MAPS, layers: 2, base: 17 })[2]).toEqual([
      42, 18,
    ]);
  });

  it("refuses a table that lacks a row", () => {
    const task = { maps: MAPS, layers: 2, base: 1 };
    expect(() => publishedCapacities([null, null, null, null, [40, 18]], task)).toThrow(
      new BudgetError("the published table has no row Scale 3 of 2 layers for 17 tokens"),
    );
  });
});
