import { describe, expect, it } from "vitest";
import { bytesOfFine, bytesPerToken, fineKnown, type StorageType } from "./storage.js";

describe("bytesPerToken", () => {
  // Infinity 2B (16 heads of 128) and 8B (28 of 128); a scale of 4 bytes for every head of keys and of values.
  it.each<[StorageType, number, number]>([
    ["fp32", 16, 2 * 2048 * 4],
    ["fp16", 16, 2 * 2048 * 2],
    ["int8", 16, 2 * (2048 + 16 * 4)],
    ["int8", 28, 2 * (3584 + 28 * 4)],
  ])("counts keys, values and scales of %s with %i heads", (storage, heads, bytes) => {
    expect(bytesPerToken(storage, heads, 128)).toBe(bytes);
  });

  it("counts the second byte of the first 21 tokens of int8, and of no other type", () => {
    expect([1, 20, 21, 650].map((tokens) => bytesOfFine("int8", 16, 128, tokens))).toEqual(
      [1, 20, 21, 21].map((tokens) => tokens * 2 * 2048),
    );
    expect(["fp32" as const, "fp16" as const].map((type) => bytesOfFine(type, 16, 128, 650))).toEqual([0, 0]);
  });

  // 32 layers, 16 rows (a batch of 8 with guidance) and 650 tokens a layer: a tenth of the history at 1M.
  it.each<[StorageType, number]>([
    ["fp16", 2600],
    ["int8", 1340.625 + 42],
  ])("with %s a tenth of Infinity 2B's history takes %d MiB", (storage, mebibytes) => {
    const bytes = 650 * bytesPerToken(storage, 16, 128) + bytesOfFine(storage, 16, 128, 650);
    expect((32 * 16 * bytes) / 2 ** 20).toBe(mebibytes);
  });
});

describe("fineKnown", () => {
  it("gives places among the first 21 of a slot, and a second byte to the first 21 that ever came", () => {
    const known = (past: number, before: number, fresh: number): number[] => [...fineKnown(past, before, fresh)];
    const ones = (length: number): number[] => new Array<number>(length).fill(1);
    expect(known(0, 0, 1)).toEqual([1]);
    expect(known(5, 5, 16)).toEqual(ones(16));
    expect(known(20, 20, 5)).toEqual([1]);
    expect(known(21, 21, 36)).toEqual([]);
    expect(known(16, 57, 64)).toEqual([0, 0, 0, 0, 0]);
    expect(known(18, 20, 9)).toEqual([1, 0, 0]);
  });
});
