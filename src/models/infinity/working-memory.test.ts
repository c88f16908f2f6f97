import { expect, it } from "vitest";
import { layerWorkingBytes } from "./working-memory.js";

const CONFIG = { width: 768, hidden: 3072 };
const FLOAT = 4;

it("counts states, and the keys and values of one row", () => {
  const [row, keys] = [4096 * 768, 4746 * 768];
  const expected = FLOAT * (8 * 2 * row + 3 * row + 4 * keys);
  expect(layerWorkingBytes(CONFIG, { rows: 2, tokens: 4096, past: 650 })).toBe(expected);
});

it("counts a bounded hidden layer where that is more", () => {
  // 16 rows of 100 tokens: a piece is a row.
  const [state, piece] = [16 * 100 * 768, 100 * 30_000];
  const expected = FLOAT * (7 * state + 2 * piece);
  expect(layerWorkingBytes({ width: 768, hidden: 30_000 }, { rows: 16, tokens: 100, past: 0 })).toBe(expected);
});
