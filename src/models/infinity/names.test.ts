import { describe, expect, it } from "vitest";
import { blockPrefix } from "./names.js";

describe("blockPrefix", () => {
  it("numbers blocks through where they are not in chunks", () => {
    expect(blockPrefix({ depth: 40, chunks: 1 }, 39)).toBe("blocks.39");
  });

  it("counts chunks and blocks within them", () => {
    const names = [0, 3, 4, 31].map((layer) => blockPrefix({ depth: 32, chunks: 8 }, layer));
    expect(names).toEqual([
      "block_chunks.0.module.0",
      "block_chunks.0.module.3",
      "block_chunks.1.module.0",
      "block_chunks.7.module.3",
    ]);
  });
});
