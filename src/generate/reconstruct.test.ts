import { expect, it, vi } from "vitest";
import { DeviceError } from "../errors.js";
import type { Device } from "../runtime/device.js";
import { resolveModel } from "../models/folder.js";
import { reconstruct } from "./reconstruct.js";

vi.mock("../models/folder.js", () => ({ resolveModel: vi.fn() }));

it("closes the model's files where the device is refused", async () => {
  const close = vi.fn(() => Promise.resolve());
  const vae = { config: {}, tensors: new Map(), path: "vae.pth" };
  vi.mocked(resolveModel).mockResolvedValue({ vae, close } as never);
  const load = vi.fn();
  await expect(reconstruct("tiny", 1, load, { device: "abacus" as Device })).rejects.toThrow(DeviceError);
  expect(close).toHaveBeenCalledTimes(1);
  expect(load).not.toHaveBeenCalled();
});
