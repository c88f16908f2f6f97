import { describe, expect, it } from "vitest";
import { OptionError } from "../../errors.js";
import type { FeatureMap, MapSize } from "./feature-map.js";
import { quantize } from "./quantize.js";

const features = (height: number, width: number, values: readonly number[]): FeatureMap => ({
  batch: 1,
  channels: 1,
  height,
  width,
  data: Float32Array.from(values),
});

describe("quantize", () => {
  it("codes at every scale what the scales before have left over", () => {
    const maps = [1, 2, 2].map((width): MapSize => ({ height: 1, width }));
    const { bits, codes } = quantize(features(1, 2, [2.5, -0.25]), maps);
    // Mean 1.125 → +1; left over 1.5, −1.25 → +1, −1; left over 0.5, −0.25 → +1, −1.
    expect(bits.map((scale) => [...scale])).toEqual([[1], [1, 0], [1, 0]]);
    expect([...codes.data]).toEqual([3, -1]);
  });

  it("refuses features of another size than the last scale", () => {
    expect(() => quantize(features(1, 2, [1, 1]), [{ height: 1, width: 3 }])).toThrow(
      new OptionError("features of 2x1: the schedule's last map is 3x1"),
    );
  });
});
