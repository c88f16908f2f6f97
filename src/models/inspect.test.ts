import { expect, it, vi } from "vitest";
import type { Checkpoint } from "../checkpoint/checkpoint.js";
import { openCheckpoint } from "../checkpoint/open.js";
import type { ByteSource } from "../checkpoint/source.js";
import { inspect } from "./inspect.js";

vi.mock("../checkpoint/open.js", () => ({ openCheckpoint: vi.fn() }));

it("closes a checkpoint that cannot be described", async () => {
  const close = vi.fn(() => Promise.resolve());
  const tensors = new Map([["weight", null]]) as unknown as Checkpoint["tensors"];
  const sources = [{ close } as unknown as ByteSource];
  vi.mocked(openCheckpoint).mockResolvedValue({ path: "a.pth", format: "torch-zip", tensors, sources });
  await expect(inspect("package.json")).rejects.toThrow(TypeError);
  expect(close).toHaveBeenCalledTimes(1);
});
