import { describe, expect, it } from "vitest";
import { gridPosition, rotaryTables } from "./rope.js";
import { scheduleFor, type ScaleSize } from "./schedule.js";

describe("gridPosition", () => {
  it.each([
    { index: 1, grid: 7, map: 2, exact: 3.5, expected: 4 },
    { index: 3, grid: 7, map: 2, exact: 10.5, expected: 10 },
    { index: 1, grid: 5, map: 2, exact: 2.5, expected: 2 },
    { index: 1, grid: 64, map: 6, exact: 10.67, expected: 11 },
    { index: 5, grid: 64, map: 12, exact: 26.67, expected: 27 },
    { index: 0, grid: 111, map: 27, exact: 0, expected: 0 },
    { index: 63, grid: 64, map: 64, exact: 63, expected: 63 },
  ])("rounds $exact (index $index of $map on a grid of $grid) to $expected", ({ index, grid, map, expected }) => {
    expect(gridPosition(index, grid, map)).toBe(expected);
  });

  it("stays on the grid and in order", () => {
    const positions = Array.from({ length: 45 }, (_, index) => gridPosition(index, 56, 45));
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    expect(new Set(positions).size).toBe(45);
    expect(positions.at(-1)).toBeLessThan(56);
  });
});

/** Height angles, then width angles of one token, in double precision: position / 10000^(2i / (dim / 2)). */
function angles(row: number, column: number, map: ScaleSize, grid: ScaleSize, dim: number): number[] {
  const halfToEven = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
  const y = halfToEven((row * grid.height) / map.height);
  const x = halfToEven((column * grid.width) / map.width);
  const of = (position: number): number[] =>
    Array.from({ length: dim / 4 }, (_, i) => position / 10000 ** ((2 * i) / (dim / 2)));
  return [...of(y), ...of(x)];
}

describe("rotaryTables", () => {
  const square = scheduleFor("0.06M");
  const wide = scheduleFor("0.25M", 0.571);
  it.each([
    { name: "the first map", map: square.maps[0]!, grid: square.grid, dim: 8 },
    { name: "a square map", map: square.maps[4]!, grid: square.grid, dim: 32 },
    { name: "a wide map", map: wide.maps[6]!, grid: wide.grid, dim: 16 },
  ])("holds the angles of $name, row by row", ({ map, grid, dim }) => {
    const { cos, sin } = rotaryTables(map, grid, dim);
    const expected = Array.from({ length: map.height * map.width }, (_, token) =>
      angles(Math.floor(token / map.width), token % map.width, map, grid, dim),
    ).flat();
    expect([cos.length, sin.length]).toEqual([expected.length, expected.length]);
    const worst = expected.reduce((most, angle, i) => {
      const difference = Math.max(Math.abs(cos[i]! - Math.cos(angle)), Math.abs(sin[i]! - Math.sin(angle)));
      return Math.max(most, difference);
    }, 0);
    // Angles up to 84 in float32, frequency and product rounded once each: 84 · 2⁻²³ is 1e-5.
    expect(worst).toBeLessThan(1e-5);
  });

  it("spreads a wide map over a wide grid: the columns go further than the rows", () => {
    const map = wide.maps[6]!;
    expect([map, wide.grid]).toEqual([
      { height: 12, width: 21 },
      { height: 48, width: 84 },
    ]);
    const { sin } = rotaryTables(map, wide.grid, 4);
    // With one frequency, 1, a token's sines are those of its row and its column on the grid.
    const last = sin.slice(-2);
    expect(last[0]).toBeCloseTo(Math.sin(44), 6);
    expect(last[1]).toBeCloseTo(Math.sin(80), 6);
  });
});
