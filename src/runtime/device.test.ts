import { describe, expect, it } from "vitest";
import { DeviceError } from "../errors.js";
import { availableDevices, chooseDevice, DEVICES, keepsOutputs } from "./device.js";

describe("chooseDevice", () => {
  it("takes the CPU unless told otherwise", () => {
    expect(chooseDevice("auto")).toBe("cpu");
    expect(chooseDevice("cpu")).toBe("cpu");
  });

  it("refuses a name that is none", () => {
    const message = "device tpu: not one of cpu, webgpu, cuda, wasm, auto";
    expect(() => chooseDevice("tpu")).toThrow(new DeviceError(message));
  });

  it("refuses what this runtime was not built with, naming what there is", () => {
    const here = availableDevices();
    expect(here).toContain("cpu");
    const absent = DEVICES.filter((device) => !here.includes(device));
    // Under Node there is never WebAssembly; CUDA depends on the machine.
    expect(absent).toContain("wasm");
    for (const device of absent) {
      const message = `device ${device}: not available here (${here.join(", ")} are)`;
      expect(() => chooseDevice(device)).toThrow(new DeviceError(message));
    }
  });
});

describe("what a device can do", () => {
  it("keeps outputs in device memory on WebGPU only", () => {
    expect(DEVICES.filter(keepsOutputs)).toEqual(["webgpu"]);
  });
});
