import { describe, expect, it } from "vitest";
import { OptionError } from "../../errors.js";
import { CodeAccumulator } from "./accumulator.js";
import { mapToTokens } from "./codes.js";

const SCHEDULE = [
  { height: 1, width: 1 },
  { height: 1, width: 2 },
  { height: 2, width: 4 },
];
const LAYOUT = { batch: 1, bits: 1, patchify: false };

describe("CodeAccumulator", () => {
  it("sums every scale at the size of the last", () => {
    const codes = new CodeAccumulator(SCHEDULE, LAYOUT);
    codes.add(0, Uint8Array.of(1));
    expect([...codes.summed.data]).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
    codes.add(1, Uint8Array.of(0, 1)); // −1, 1 over four columns: −1, −½, ½, 1
    expect([...codes.summed.data]).toEqual([0, 0.5, 1.5, 2, 0, 0.5, 1.5, 2]);
    codes.add(2, Uint8Array.of(0, 0, 0, 0, 1, 1, 1, 1));
    expect([...codes.summed.data]).toEqual([-1, -0.5, 0.5, 1, 1, 1.5, 2.5, 3]);
  });

  it("starts a scale from the sum so far, interpolated and not averaged", () => {
    const codes = new CodeAccumulator(
      [3, 2, 6].map((width) => ({ height: 1, width })),
      LAYOUT,
    );
    expect([...codes.features(0)]).toEqual([0, 0, 0]);
    codes.add(0, Uint8Array.of(0, 0, 1));
    expect([...codes.summed.data]).toEqual([-1, -1, -1, -0.5, 0.5, 1]);
    expect([...codes.features(1)]).toEqual([-1, 0.5]); // averages would be −1 and ⅓
    codes.add(1, Uint8Array.of(1, 1));
    expect([...codes.features(2)]).toEqual([0, 0, 0, 0.5, 1.5, 2]);
  });

  it("takes the bits of patches from tokens as from the map", () => {
    const layout = { batch: 2, bits: 3, patchify: true };
    const [fromTokens, fromMap] = [new CodeAccumulator(SCHEDULE, layout), new CodeAccumulator(SCHEDULE, layout)];
    const lengths = SCHEDULE.map(({ height, width }, scale) => {
      const map = Uint8Array.from({ length: 2 * 2 * height * 2 * width * 3 }, (_, i) => ((i * 7) % 5) & 1);
      fromTokens.add(scale, mapToTokens(map, layout, { height: 2 * height, width: 2 * width }));
      const { length } = fromMap.features(scale);
      fromMap.addMap(scale, map);
      return length;
    });
    expect(fromTokens.summed).toEqual(fromMap.summed);
    expect([fromMap.summed.height, fromMap.summed.width]).toEqual([4, 8]);
    expect(lengths).toEqual([1, 2, 8].map((tokens) => 2 * tokens * 12)); // batch, tokens, 4 · 3 bits
  });

  it("wants its scales in order and within the schedule", () => {
    const codes = new CodeAccumulator(SCHEDULE, LAYOUT);
    expect(() => {
      codes.add(1, Uint8Array.of(1, 1));
    }).toThrow(new OptionError("scale 1 is out of turn: scale 0 comes next"));
    codes.add(0, Uint8Array.of(1));
    expect(() => {
      codes.add(0, Uint8Array.of(1));
    }).toThrow(OptionError);
    expect(() => codes.features(2)).toThrow(OptionError);
    expect(() => codes.features(3)).toThrow(new OptionError("scale 3: the schedule has 3 scales, counted from 0"));
    expect(() => new CodeAccumulator([], LAYOUT)).toThrow(OptionError);
  });
});
