import type * as Files from "node:fs/promises";
import { open, readdir, type FileHandle } from "node:fs/promises";
import { describe, expect, it, vi } from "vitest";
import { CheckpointError } from "../errors.js";
import { openFile } from "./file-source.js";
import { openCheckpoint } from "./open.js";

vi.mock("node:fs/promises", async (original) => ({
  ...(await original<typeof Files>()),
  open: vi.fn(),
  readdir: vi.fn(),
}));

function failure(code: string): () => Promise<never> {
  return () => Promise.reject(Object.assign(new Error("stale"), { code }));
}

/** What `open` gives from now on. */
function opened(handle: Record<string, unknown>): void {
  vi.mocked(open).mockResolvedValue(handle as unknown as FileHandle);
}

describe("opening a file", () => {
  it("closes it again where its size cannot be had", async () => {
    const close = vi.fn(() => Promise.resolve());
    opened({ stat: failure("ESTALE"), close });
    await expect(openFile("package.json")).rejects.toThrow(
      new CheckpointError("package.json: cannot be opened (ESTALE)"),
    );
    expect(close).toHaveBeenCalledTimes(1);
  });
});

describe("reading a file", () => {
  it("says in one line what the disk says", async () => {
    const file = { size: 10, isFile: () => true };
    const stat = vi.fn().mockResolvedValueOnce(file).mockImplementation(failure("ESTALE"));
    opened({ stat, read: failure("EIO") });
    const source = await openFile("package.json");
    await expect(source.read(0, 10)).rejects.toThrow(new CheckpointError("package.json: cannot be read (EIO)"));
    await expect(source.fingerprint!()).rejects.toThrow(new CheckpointError("package.json: cannot be read (ESTALE)"));
  });
});

it("refuses a folder that may not be read in one line", async () => {
  vi.mocked(readdir).mockImplementation(failure("EACCES"));
  await expect(openCheckpoint("src")).rejects.toThrow(new CheckpointError("src: cannot be read (EACCES)"));
});
