import { expect, it } from "vitest";
import { lanesOfRow } from "./self-attention.js";
import { layerWorkingBytes } from "./working-memory.js";

const CONFIG = { width: 768, heads: 8, hidden: 3072 };
const FLOAT = 4;

it("counts states where keys are few", () => {
  const state = 16 * 4096 * 768;
  expect(layerWorkingBytes(CONFIG, { rows: 16, tokens: 4096, past: 0 })).toBe(FLOAT * 7 * state);
});

it("counts the keys and values of half a row's heads where they are many", () => {
  const [state, row, lane, keys] = [2 * 4096 * 768, 4096 * 768, 4096 * 384, 10_521 * 384];
  const expected = FLOAT * (6 * state + row + 2 * lane + 4 * keys);
  expect(layerWorkingBytes(CONFIG, { rows: 2, tokens: 4096, past: 6425 })).toBe(expected);
});

it("counts a bounded hidden layer where that is more", () => {
  // 16 rows of 100 tokens: a piece is a row.
  const [state, piece] = [16 * 100 * 768, 100 * 20_000];
  const expected = FLOAT * (5 * state + 2 * piece);
  expect(layerWorkingBytes({ ...CONFIG, hidden: 20_000 }, { rows: 16, tokens: 100, past: 0 })).toBe(expected);
});

it.each([
  [{ width: 192, heads: 4 }, 1],
  [{ width: 768, heads: 8 }, 2],
  [{ width: 2048, heads: 16 }, 4],
  [{ width: 2080, heads: 20 }, 5],
  [{ width: 3584, heads: 28 }, 7],
  [{ width: 3360, heads: 28 }, 7],
  [{ width: 2048, heads: 2 }, 2],
])("divides the heads of %j into %d lanes", (sizes, lanes) => {
  expect(lanesOfRow(sizes)).toBe(lanes);
});
