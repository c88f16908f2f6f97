import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../errors.js";
import { bitsToCodes, featuresToBits, featuresToTokens, mapSize, mapToTokens, tokensToMap } from "./codes.js";
import type { BitLayout } from "./codes.js";
import type { MapSize } from "./feature-map.js";

/** Bits of a scale, with the size of its map. */
const scales = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    bits: fc.integer({ min: 1, max: 5 }),
    patchify: fc.boolean(),
    height: fc.integer({ min: 1, max: 4 }),
    width: fc.integer({ min: 1, max: 4 }),
  })
  .chain(({ batch, bits, patchify, height, width }) => {
    const layout: BitLayout = { batch, bits, patchify };
    const size: MapSize = mapSize({ height, width }, patchify);
    const length = batch * bits * size.height * size.width;
    return fc
      .uint8Array({ min: 0, max: 1, minLength: length, maxLength: length })
      .map((given) => ({ layout, size, given }));
  });

describe("patches", () => {
  const layout: BitLayout = { batch: 1, bits: 2, patchify: true };
  const size = { height: 2, width: 4 };

  it("lie in the order of pixel_shuffle", () => {
    // Two tokens of 8 bits; the one bit that is set is channel 1, lower left place, of the second token.
    const tokens = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    const map = tokensToMap(tokens, layout, size);
    expect(map.indexOf(1)).toBe((1 * 4 + 2) * 2 + 1); // row 1, column 2, channel 1
  });

  it("are features in PyTorch's order", () => {
    // torch 1.13: F.pixel_shuffle(torch.arange(16.).view(1, 8, 1, 2), 2); a token's channel k is 2k at 0 and 2k + 1 at 1.
    const data = Float32Array.of(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    const tokens = featuresToTokens({ batch: 1, channels: 2, ...size, data }, true);
    expect([...tokens]).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15]);
  });
});

describe("layouts", () => {
  it("turn into one another and back", () => {
    fc.assert(
      fc.property(scales, ({ layout, size, given }) => {
        expect(mapToTokens(tokensToMap(given, layout, size), layout, size)).toEqual(given);
        expect(tokensToMap(mapToTokens(given, layout, size), layout, size)).toEqual(given);
      }),
    );
  });

  it("are the same without patchify", () => {
    fc.assert(
      fc.property(scales, ({ layout, size, given }) => {
        expect(tokensToMap(given, { ...layout, patchify: false }, size)).toEqual(given);
      }),
    );
  });

  it("agree between bits and features", () => {
    fc.assert(
      fc.property(scales, ({ layout, size, given }) => {
        const codes = featuresToTokens(bitsToCodes(given, layout, size), layout.patchify);
        expect(Uint8Array.from(codes, (code) => (code > 0 ? 1 : 0))).toEqual(mapToTokens(given, layout, size));
      }),
    );
  });
});

describe("codes", () => {
  it("are planes of ±1/√d", () => {
    const codes = bitsToCodes(
      Uint8Array.of(1, 0, 0, 1, 1, 1, 1, 0),
      { batch: 1, bits: 4, patchify: false },
      { height: 1, width: 2 },
    );
    expect(codes).toEqual({
      batch: 1,
      channels: 4,
      height: 1,
      width: 2,
      data: Float32Array.of(0.5, 0.5, -0.5, 0.5, -0.5, 0.5, 0.5, -0.5),
    });
  });

  it("give their bits back; 0 is not above 0", () => {
    fc.assert(
      fc.property(scales, ({ layout, size, given }) => {
        expect(featuresToBits(bitsToCodes(given, layout, size))).toEqual(given);
      }),
    );
    const features = { batch: 1, channels: 3, height: 1, width: 1, data: Float32Array.of(0, -0, 1e-30) };
    expect([...featuresToBits(features)]).toEqual([0, 0, 1]);
  });
});

describe("bad bits", () => {
  const layout: BitLayout = { batch: 2, bits: 3, patchify: false };
  const size = { height: 1, width: 2 };

  it("are refused by their number", () => {
    const short = new Uint8Array(11);
    expect(() => tokensToMap(short, layout, size)).toThrow(
      new OptionError("a 2x1 map of 3 bits, batch 2: 11 bits given, not 12"),
    );
    expect(() => mapToTokens(short, layout, size)).toThrow(OptionError);
    expect(() => bitsToCodes(short, layout, size)).toThrow(OptionError);
  });

  it("are refused by their value", () => {
    expect(() => bitsToCodes(new Uint8Array(12).fill(2, 5, 6), layout, size)).toThrow(
      new OptionError("a bit has the value 2: only 0 and 1 are bits"),
    );
  });
});
