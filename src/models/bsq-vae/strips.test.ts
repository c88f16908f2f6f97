import { describe, expect, it } from "vitest";
import { float32, values } from "../../runtime/tensor.js";
import { zeros } from "./feature-map.js";
import { rowsOf, setRows, StripMap } from "./strips.js";

describe("rowsOf and setRows", () => {
  it("take a map apart and put it together again", () => {
    const map = { ...zeros(1, 3, { height: 5, width: 4 }), data: Float32Array.from({ length: 60 }, (_, i) => i) };
    const copy = zeros(1, 3, { height: 5, width: 4 });
    for (const [top, bottom] of [
      [0, 2],
      [2, 5],
    ] as const) {
      const strip = rowsOf(map, top, bottom);
      expect(strip.dims).toEqual([1, 3, bottom - top, 4]);
      setRows(copy, top, values(strip));
    }
    expect(copy).toEqual(map);
  });
});

describe("StripMap", () => {
  it("frees strips one by one and then all, and does not give what was freed", () => {
    const map = new StripMap();
    const strips = [0, 1, 2].map((value) => float32(Float32Array.of(value), [1, 1, 1, 1]));
    const lengths = (): number[] => strips.map((strip) => values(strip).length);
    for (const strip of strips) map.push(strip);
    map.free(1);
    expect(lengths()).toEqual([1, 0, 1]);
    expect(map.at(2)).toBe(strips[2]);
    expect(() => map.at(1)).toThrow(new RangeError("strip 1 of 3 is not there"));
    map.dispose();
    expect(lengths()).toEqual([0, 0, 0]);
  });
});
