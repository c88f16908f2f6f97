import { describe, expect, it } from "vitest";
import { DeviceError } from "../errors.js";
import { largestSums, probeTarget, requireExactSums, requireHalves } from "./probe.js";

const EXACT = 64 * 255 * 127;

describe("w8a8", () => {
  it("is let pass where sums of 8-bit products are exact", () => {
    expect(() => requireExactSums([EXACT, EXACT])).not.toThrow();
  });

  it("is refused in one line where pairs of products are cut off at 16 bits", () => {
    // As x86 processors without dot products of bytes add: 32 pairs of at most 32,767.
    const line = `weights w8a8: this processor adds 64 products of 255 and 127 up to 1048544, not ${EXACT}; q8 works on any`;
    expect(() => requireExactSums([EXACT, 32 * 32_767])).toThrow(new DeviceError(line));
  });

  it("is judged by what this processor does", async () => {
    const sums = await largestSums("cpu");
    expect(sums).toHaveLength(64);
    const probed = probeTarget("cpu", "w8a8").then(
      () => true,
      (error: unknown) => error instanceof DeviceError,
    );
    await expect(probed).resolves.toBe(true);
    expect([EXACT, 32 * 32_767]).toContain(sums[0]);
  });
});

describe("float16", () => {
  it("is refused in one line by an adapter that has none", () => {
    const line = "storage fp16: the WebGPU adapter has no float16 (shader-f16); fp32 and int8 need none";
    expect(() => requireHalves({ halves: false }, "storage fp16", "fp32 and int8")).toThrow(new DeviceError(line));
    expect(() => requireHalves({ halves: true }, "storage fp16", "fp32 and int8")).not.toThrow();
  });
});
