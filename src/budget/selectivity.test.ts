import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../errors.js";
import { assignRoles, attentionSelectivity, zScores, type Scores } from "./selectivity.js";

describe("attentionSelectivity", () => {
  it("multiplies the two shares, from scale 1 on", () => {
    const means = { current: [[1, 0.5, 0.25]], history: [[NaN, 0.5, 0.75]] };
    expect(attentionSelectivity(means)).toEqual([[null, 0.25, 0.1875]]);
  });

  it.each([
    [{ current: [[1, 0.5]], history: [] }, "attention: 0 layers of history, 1 of current maps"],
    [{ current: [[1, 0.5]], history: [[1]] }, "attention: layer 0 has 2 and 1 scales, not 2"],
    [{ current: [[1, 1.5]], history: [[0, 1]] }, "attention 1.5: not a share from 0 to 1"],
    [{ current: [[1, 0.5]], history: [[0, NaN]] }, "attention NaN: not a share from 0 to 1"],
  ])("refuses %j", (means, message) => {
    expect(() => attentionSelectivity(means)).toThrow(new OptionError(message));
  });
});

describe("zScores", () => {
  it("measures each scale by itself", () => {
    const scores = [
      [null, 1, 0.1],
      [null, 2, 0.1],
      [null, 3, 0.1],
    ];
    // The population's deviation of 1, 2, 3 is √(2/3); three values of 0.1 do not differ, though their mean is rounded.
    const z = Math.sqrt(3 / 2);
    expect(zScores(scores).map((row) => row.map((value) => value && Number(value.toFixed(12))))).toEqual([
      [null, -Number(z.toFixed(12)), 0],
      [null, 0, 0],
      [null, Number(z.toFixed(12)), 0],
    ]);
  });

  it("has mean 0 and deviation 1 at every scale where layers differ", () => {
    const layers = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(layers, (values) => {
        fc.pre(new Set(values).size > 1);
        const z = zScores(values.map((value) => [null, value / 1000])).map((row) => row[1] ?? NaN);
        const mean = z.reduce((sum, value) => sum + value, 0) / z.length;
        const square = z.reduce((sum, value) => sum + value ** 2, 0) / z.length;
        // Sums of at most 20 doubles, whose differences from the mean are at least 1/20000 of the values.
        expect(mean).toBeCloseTo(0, 9);
        expect(square).toBeCloseTo(1, 9);
      }),
    );
  });
});

describe("assignRoles", () => {
  const Z: Scores = [
    [null, -1, 2],
    [null, 0.5, -1],
  ];

  it("takes the lowest scores of all pairs, ties by layer and scale", () => {
    const roles = (drafters: number) =>
      assignRoles(Z, { drafters }).map((row) => row.map((role) => role?.[0] ?? "-").join(""));
    expect(roles(0)).toEqual(["-rr", "-rr"]);
    expect(roles(1)).toEqual(["-dr", "-rr"]);
    expect(roles(2)).toEqual(["-dr", "-rd"]);
    expect(roles(4)).toEqual(["-dd", "-dd"]);
  });

  it("leaves scales that evict nothing without a role", () => {
    expect(assignRoles(Z, { drafters: 1, firstScale: 2 })).toEqual([
      [null, null, "refiner"],
      [null, null, "drafter"],
    ]);
  });

  it("names as many of the pairs as the published tables do, if not told otherwise", () => {
    const z = Array.from({ length: 36 }, (_, layer) => [
      null,
      ...Array.from({ length: 10 }, (__, scale) => layer - scale),
    ]);
    expect(
      assignRoles(z)
        .flat()
        .filter((role) => role === "drafter"),
    ).toHaveLength(24);
  });

  it.each([5, -1, 1.5])("refuses %d drafters of 4 pairs", (drafters) => {
    expect(() => assignRoles(Z, { drafters })).toThrow(
      new OptionError(`drafters ${drafters}: not a whole number from 0 to 4 pairs of layer and scale`),
    );
  });
});
