import { describe, expect, it } from "vitest";
import { toLevels, toPlanes } from "./image.js";

describe("levels and planes", () => {
  it("cut levels off and do not round them", () => {
    const levels = new Uint8Array(6);
    // 0, 127.5, 255 red and green; 0.999 · 255 / 2 and the like blue.
    toLevels(Float32Array.of(-1, 0, 1, -1, 0.998, -0.001), levels);
    expect([...levels]).toEqual([0, 255, 254, 127, 0, 127]);
  });

  it("keep every level through planes and back within the cut", () => {
    const data = Uint8Array.from({ length: 256 * 3 }, (_, i) => Math.floor(i / 3));
    const planes = toPlanes({ batch: 1, height: 16, width: 16, data }, 0);
    const back = new Uint8Array(data.length);
    toLevels(planes.data, back);
    // A level that is no exact float32 may fall just below itself, and is then cut off to the one before.
    back.forEach((level, i) => {
      expect(data[i]! - level).toBeGreaterThanOrEqual(0);
      expect(data[i]! - level).toBeLessThanOrEqual(1);
    });
  });

  it("put one image of a batch into planes, red first", () => {
    const data = Uint8Array.of(0, 0, 0, 0, 0, 0, 255, 0, 51, 0, 255, 102);
    const planes = toPlanes({ batch: 2, height: 1, width: 2, data }, 1);
    const expected = [1, -1, -1, 1, -0.6, -0.2];
    expect([planes.channels, planes.height, planes.width]).toEqual([3, 1, 2]);
    planes.data.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] ?? NaN, 6);
    });
  });
});
