import { describe, expect, it } from "vitest";
import { DeviceError } from "../errors.js";
import { CPU_TARGET, type GraphTarget } from "../graph/model.js";
import { integerTarget, largestSums, probeTarget, requireHalves } from "./probe.js";

const EXACT = 64 * 255 * 127;
/** As x86 processors without dot products of bytes add: 32 pairs of at most 32,767. */
const CUT_OFF = 32 * 32_767;

describe("w8a8", () => {
  const UNSIGNED = { ...CPU_TARGET, unsignedLevels: true };

  it.each<[string, number, GraphTarget]>([
    ["signed where their sums are exact", EXACT, CPU_TARGET],
    ["unsigned where pairs of products of signed ones are cut off at 16 bits", CUT_OFF, UNSIGNED],
  ])("has levels that are %s", async (_, signed, expected) => {
    const sumsOn = (target: GraphTarget): Promise<number[]> =>
      Promise.resolve([EXACT, target.unsignedLevels ? EXACT : signed]);
    await expect(integerTarget(sumsOn)).resolves.toEqual(expected);
  });

  it("is refused in one line where neither are", async () => {
    const sumsOn = ({ unsignedLevels }: GraphTarget): Promise<number[]> =>
      Promise.resolve([EXACT, unsignedLevels ? 7 : CUT_OFF]);
    const line = `weights w8a8: this processor adds 64 products of 255 and 127 up to 1048544 or 7, not ${EXACT}; q8 works on any`;
    await expect(integerTarget(sumsOn)).rejects.toThrow(new DeviceError(line));
  });

  it("has sums that are exact on any processor where levels are unsigned", async () => {
    expect(await largestSums("cpu", UNSIGNED)).toEqual(new Array<number>(64).fill(EXACT));
  });

  it("has signed levels where this processor adds them up exactly, and only there", async () => {
    const [sum, ...others] = new Set(await largestSums("cpu", CPU_TARGET));
    expect(others).toEqual([]);
    expect([EXACT, CUT_OFF]).toContain(sum);
    expect(await probeTarget("cpu", "w8a8")).toEqual(sum === EXACT ? CPU_TARGET : UNSIGNED);
  });
});

describe("float16", () => {
  it("is refused in one line by an adapter that has none", () => {
    const line = "storage fp16: the WebGPU adapter has no float16 (shader-f16); fp32 and int8 need none";
    expect(() => requireHalves({ halves: false }, "storage fp16", "fp32 and int8")).toThrow(new DeviceError(line));
    expect(() => requireHalves({ halves: true }, "storage fp16", "fp32 and int8")).not.toThrow();
  });
});
