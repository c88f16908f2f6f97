import { describe, expect, it } from "vitest";
import type { Roles, Scores } from "../budget/selectivity.js";
import { scoreImage, scoreTable } from "./score-picture.js";

/** Two layers, two scales with scores; from −1 to 1. */
const Z: Scores = [
  [null, -1, 1],
  [null, 0, -0.5],
];
const ROLES: Roles = [
  [null, null, "refiner"],
  [null, null, "drafter"],
];

describe("scoreTable", () => {
  it("shades from the lowest score to the highest and marks drafters", () => {
    expect(scoreTable(Z, ROLES).split("\n").slice(0, 3)).toEqual(["layer   2   3", "    0  ··  ██", "    1  ▒▒  DD"]);
  });
});

describe("scoreImage", () => {
  it("has a square for every score, black for the lowest and white for the highest", () => {
    const { width, height, data } = scoreImage(Z);
    expect([width, height, data.length]).toEqual([32, 32, 32 * 32 * 3]);
    const colourAt = (x: number, y: number): number[] => [
      ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
    ];
    expect([colourAt(0, 0), colourAt(15, 15), colourAt(16, 0)]).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [255, 255, 255],
    ]);
    expect(colourAt(0, 16)).not.toEqual(colourAt(16, 16));
  });

  it("is one colour where all scores are the same", () => {
    expect(
      new Set(
        scoreImage([
          [null, 0],
          [null, 0],
        ]).data,
      ),
    ).toEqual(new Set([0]));
  });
});
