import { describe, expect, it } from "vitest";
import { flat } from "../../test/support/pictures.js";
import type { RgbImage } from "../metrics/image.js";
import { fillGrid, planGrid } from "./grid.js";

/** Plans for the first picture's size and fills. */
async function captionedGrid(pictures: readonly { image: RgbImage; caption: string }[]): Promise<RgbImage> {
  const captions = pictures.map(({ caption }) => caption);
  return fillGrid(
    await planGrid(captions, pictures[0]!.image),
    pictures.map(({ image }) => image),
  );
}

/** The levels of a pixel. */
function at({ width, data }: { width: number; data: Uint8Array }, x: number, y: number): number[] {
  return [...data.slice((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

describe("captionedGrid", () => {
  it("sets pictures in rows, in their order, with words below", async () => {
    const levels = [10, 40, 70, 100, 130, 160];
    const grid = await captionedGrid(levels.map((level) => ({ image: flat(128, 128, level), caption: "a red & <b>" })));
    // 3 columns of 128 pixels, 8 between and around them
    expect(grid.width).toBe(3 * 136 + 8);
    const rowHeight = (grid.height - 8) / 2;
    expect(rowHeight).toBeGreaterThan(128 + 16);
    for (const [i, level] of levels.entries()) {
      const [left, top] = [8 + (i % 3) * 136, 8 + Math.floor(i / 3) * rowHeight];
      expect(at(grid, left, top)).toEqual([level, level, level]);
      expect(at(grid, left + 127, top + 127)).toEqual([level, level, level]);
      expect(at(grid, left - 1, top)).toEqual([255, 255, 255]);
    }
    const captions = grid.data.slice((8 + 128) * grid.width * 3, (rowHeight - 1) * grid.width * 3);
    expect(Math.min(...captions)).toBeLessThan(64);
  });

  it("wraps long captions and makes room for small pictures", async () => {
    const short = await captionedGrid([{ image: flat(4, 4, 0), caption: "a" }]);
    const long = await captionedGrid([
      { image: flat(4, 4, 0), caption: "a penguin below a moon on a blue background" },
    ]);
    expect(short.width).toBe(96 + 2 * 8);
    expect(long.width).toBe(short.width);
    expect(long.height).toBeGreaterThan(short.height + 20);
  });

  it.each(["", " \n\t", "\u200b", "\u0001\ufe0f"])("sets no words for the blank caption %j", async (caption) => {
    const sheet = await captionedGrid([{ image: flat(128, 128, 0), caption }]);
    expect([sheet.width, sheet.height]).toEqual([128 + 2 * 8, 128 + 3 * 8]);
    const below = sheet.data.slice((8 + 128) * sheet.width * 3);
    expect(Math.min(...below)).toBe(255);
  });
});
