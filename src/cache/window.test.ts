import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scheduleFor, TEMPLATE_RATIOS } from "../models/infinity/schedule.js";
import type { MapSize } from "./policy.js";
import { centreTokens, observationWindow, recentWindow, spreadTokens } from "./window.js";

const square = (side: number): MapSize => ({ height: side, width: side });

/** Every published map; the smaller size classes take the first of them. */
const PUBLISHED = TEMPLATE_RATIOS.flatMap((ratio) => scheduleFor("1M", ratio).maps);
const SIDES = scheduleFor("1M").maps.map(({ height }) => height);

/** The published rule (`_select_window_indices` of ScaleKV's `scale_kv.py`) for a square map and window. */
function publishedCentres(side: number, size: number): number[] {
  const grid = Math.sqrt(size);
  const patch = Math.floor(side / grid);
  const tokens: number[] = [];
  for (let i = 0; i < grid; i++) {
    for (let j = 0; j < grid; j++) {
      const row = i * patch + Math.floor((patch - 1) / 2);
      const column = j * patch + Math.floor((patch - 1) / 2);
      tokens.push(row * side + column);
    }
  }
  return tokens;
}

function expectSortedUniqueInside(tokens: readonly number[], end: number): void {
  expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
  expect(tokens.every((token) => token >= 0 && token < end)).toBe(true);
}

describe("centreTokens", () => {
  it.each([4, 9, 16, 64])("of published square maps are the published ones for a window of %i", (size) => {
    const wideEnough = SIDES.filter((side) => side >= Math.sqrt(size));
    expect(wideEnough.length).toBeGreaterThan(0);
    for (const side of wideEnough) expect(centreTokens(square(side), size)).toEqual(publishedCentres(side, size));
  });

  it("leaves out what does not divide at the end: a side of 6 has 4 patches of 1", () => {
    expect(centreTokens(square(6), 16)).toEqual([0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 15, 18, 19, 20, 21]);
  });

  it("of a tall map are the middles of as many patches a side as of a square one", () => {
    // 12 × 9: patches of 3 × 2 tokens, whose middle is row 1, column 0.
    const rows = [1, 4, 7, 10];
    const columns = [0, 2, 4, 6];
    const tokens = rows.flatMap((row) => columns.map((column) => row * 9 + column));
    expect(centreTokens({ height: 12, width: 9 }, 16)).toEqual(tokens);
  });

  it.each([1, 2, 3])("are none where a published square map of side %i is narrower than the grid", (side) => {
    expect(centreTokens(square(side), 16)).toBeUndefined();
  });

  it("are none of a square map if the window's size is not a square, as published", () => {
    expect(centreTokens(square(64), 20)).toBeUndefined();
  });

  it.each([1, 4, 9, 16, 20, 32, 64])("of every published map are at most %i, sorted, each once and inside", (size) => {
    const grid = Math.floor(Math.sqrt(size));
    for (const map of PUBLISHED) {
      const tokens = centreTokens(map, size);
      const wideEnough = Math.min(map.height, map.width) >= grid;
      if (wideEnough && map.height !== map.width) expect(tokens).toBeDefined();
      if (!tokens) continue;
      expectSortedUniqueInside(tokens, map.height * map.width);
      expect(tokens.length).toBeGreaterThanOrEqual(grid ** 2);
      expect(tokens.length).toBeLessThanOrEqual(size);
    }
  });

  it("of every published map wide enough look from each sixteenth of it", () => {
    const wideEnough = PUBLISHED.filter(({ height, width }) => Math.min(height, width) >= 4);
    for (const { height, width } of wideEnough) {
      const patch = (token: number): string =>
        [
          Math.floor(token / width / Math.floor(height / 4)),
          Math.floor((token % width) / Math.floor(width / 4)),
        ].join();
      const expected = [0, 1, 2, 3].flatMap((row) => [0, 1, 2, 3].map((column) => `${row},${column}`));
      expect(centreTokens({ height, width }, 16)?.map(patch)).toEqual(expected);
    }
  });
});

describe("observationWindow", () => {
  it("puts the centres behind the cached tokens; each observes by itself", () => {
    const observers = publishedCentres(8, 16);
    expect(observationWindow(100, square(8), 16)).toEqual({ positions: observers.map((t) => 100 + t), observers });
  });

  it("is the last tokens of all where the map is too small", () => {
    expect(observationWindow(10, square(2), 9)).toEqual(recentWindow(10, 4, 9));
  });
});

describe("recentWindow", () => {
  it("has tokens of earlier scales observed for by the scale's first", () => {
    expect(recentWindow(3, 2, 4)).toEqual({ positions: [1, 2, 3, 4], observers: [0, 0, 0, 1] });
  });

  it("is all there is where that is less than its size", () => {
    expect(recentWindow(0, 1, 16)).toEqual({ positions: [0], observers: [0] });
  });

  it("is the end of the cache, and every observer a token of the scale", () => {
    const count = fc.integer({ min: 0, max: 50 });
    fc.assert(
      fc.property(count, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 64 }), (cached, fresh, size) => {
        const { positions, observers } = recentWindow(cached, fresh, size);
        expectSortedUniqueInside(positions, cached + fresh);
        expect(positions).toHaveLength(Math.min(size, cached + fresh));
        expect(positions.at(-1)).toBe(cached + fresh - 1);
        expect(observers).toEqual(positions.map((position) => (position < cached ? 0 : position - cached)));
      }),
    );
  });
});

describe("spreadTokens", () => {
  it("takes the middles of equal parts, or all there are", () => {
    expect(spreadTokens(12, 4)).toEqual([1, 4, 7, 10]);
    expect(spreadTokens(3, 4)).toEqual([0, 1, 2]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 100 }), (fresh, count) => {
        const tokens = spreadTokens(fresh, count);
        expect(tokens).toHaveLength(Math.min(fresh, count));
        expectSortedUniqueInside(tokens, fresh);
      }),
    );
  });
});
