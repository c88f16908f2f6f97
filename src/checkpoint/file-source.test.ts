import type * as Files from "node:fs/promises";
import { open, type FileHandle } from "node:fs/promises";
import { describe, expect, it, vi } from "vitest";
import { CheckpointError } from "../errors.js";
import { openFile } from "./file-source.js";

vi.mock("node:fs/promises", async (original) => ({
  ...(await original<typeof Files>()),
  open: vi.fn(),
}));

describe("opening a file", () => {
  it("closes it again where its size cannot be had", async () => {
    const close = vi.fn(() => Promise.resolve());
    const stat = (): Promise<never> => Promise.reject(Object.assign(new Error("stale"), { code: "ESTALE" }));
    vi.mocked(open).mockResolvedValue({ stat, close } as unknown as FileHandle);
    await expect(openFile("package.json")).rejects.toThrow(
      new CheckpointError("package.json: cannot be opened (ESTALE)"),
    );
    expect(close).toHaveBeenCalledTimes(1);
  });
});
