import { expect, it } from "vitest";
import { layerWorkingBytes } from "./working-memory.js";

const CONFIG = { width: 768, hidden: 3072 };
const FLOAT = 4;

it("counts states, keys and values, and one piece", () => {
  // 10 tokens of 2 rows are one piece: keys and values of both rows are at work.
  const [state, keys, piece] = [20 * 768, 2 * 40 * 768, 20 * 3072];
  expect(layerWorkingBytes(CONFIG, { rows: 2, tokens: 10, past: 30 })).toBe(FLOAT * (7 * state + 6 * keys + 2 * piece));
});

it("counts one row's keys and a bounded hidden layer where the tokens are many", () => {
  // 4096 tokens of one row make four pieces of 1024: 12 MiB of hidden layer each.
  const [state, keys] = [2 * 4096 * 768, 2 * 4746 * 768];
  const expected = FLOAT * (7 * state + 2 * keys + 4 * (keys / 2) + 2 * 1024 * 3072);
  expect(layerWorkingBytes(CONFIG, { rows: 2, tokens: 4096, past: 650 })).toBe(expected);
});
