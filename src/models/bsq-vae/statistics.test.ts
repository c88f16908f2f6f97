import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ModelError } from "../../errors.js";
import { GroupStatistics, type Affine } from "./statistics.js";

const CHANNELS = 48; // 24 groups of 2
const ONES = { scale: new Float32Array(CHANNELS).fill(1), bias: new Float32Array(CHANNELS) };

/** A map's rows, [channels][rows][width]. */
type Rows = number[][][];

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const squares = (values: readonly number[], from: number): number =>
  values.reduce((sum, value) => sum + (value - from) ** 2, 0);

/** What the graphs tell of the rows `top` to `bottom`. */
function add(statistics: GroupStatistics, map: Rows, top: number, bottom: number): void {
  const rows = map.flatMap((channel) => channel.slice(top, bottom));
  const means = rows.map(mean);
  const deviations = rows.map((row, i) => squares(row, means[i]!));
  statistics.add(Float32Array.from(means), Float32Array.from(deviations), map[0]![0]!.length);
}

function inStrips(map: Rows, ends: readonly number[]): Affine {
  const statistics = new GroupStatistics(CHANNELS);
  ends.forEach((end, i) => add(statistics, map, ends[i - 1] ?? 0, end));
  return statistics.affine(ONES);
}

/** A map of small whole numbers far from 0, and a place to cut it. */
const cutMaps = fc.tuple(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 5 })).chain(([rows, width]) =>
  fc.record({
    map: fc.array(
      fc.array(fc.array(fc.integer({ min: 990, max: 1010 }), { minLength: width, maxLength: width }), {
        minLength: rows,
        maxLength: rows,
      }),
      { minLength: CHANNELS, maxLength: CHANNELS },
    ),
    cut: fc.integer({ min: 1, max: rows - 1 }),
  }),
);

describe("GroupStatistics", () => {
  it("brings every group to mean 0 and variance 1, though its values be far from 0", () => {
    fc.assert(
      fc.property(cutMaps, ({ map }) => {
        const { factor, shift } = inStrips(map, [map[0]!.length]);
        for (let channel = 0; channel < CHANNELS; channel += 2) {
          const group = [...map[channel]!, ...map[channel + 1]!].flat();
          const deviation = Math.sqrt(squares(group, mean(group)) / group.length + 1e-6);
          // The figures reach and leave the statistics in float32: means near 1000 to 6e-8 of that, and shift likewise.
          expect(Math.abs(factor[channel]! * deviation - 1)).toBeLessThan(1e-3);
          expect(Math.abs(shift[channel]! * deviation + mean(group))).toBeLessThan(1e-3 * 1000);
          expect([factor[channel + 1], shift[channel + 1]]).toEqual([factor[channel], shift[channel]]);
        }
      }),
    );
  });

  it("gives the same to the last bit wherever the map is cut", () => {
    fc.assert(
      fc.property(cutMaps, ({ map, cut }) => {
        const rows = map[0]!.length;
        expect(inStrips(map, [cut, rows])).toEqual(inStrips(map, [rows]));
      }),
    );
  });

  it("scales and shifts by channel", () => {
    const map = Array.from({ length: CHANNELS }, () => [[1, 3]]); // mean 2, variance 1 in every group
    const statistics = new GroupStatistics(CHANNELS);
    add(statistics, map, 0, 1);
    const scale = Float32Array.from({ length: CHANNELS }, (_, i) => i);
    const bias = Float32Array.from({ length: CHANNELS }, (_, i) => i / 4);
    const { factor, shift } = statistics.affine({ scale, bias });
    // 1e-6 beside the variance of 1 moves the factor by 5e-7 of itself.
    factor.forEach((value, i) => expect(value).toBeCloseTo(i, 4));
    shift.forEach((value, i) => expect(value).toBeCloseTo(i / 4 - 2 * i, 3));
  });

  it("refuses channels that no number of groups fits", () => {
    expect(() => new GroupStatistics(40)).toThrow(
      new ModelError("VAE: 40 channels divide into neither 32 nor 24 groups"),
    );
  });
});
