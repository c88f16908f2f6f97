import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { philox, uniforms } from "./random.js";

type Counter = readonly [number, number, number, number];
type Key = readonly [number, number];

function words(counter: Counter, key: Key): number[] {
  const out = new Uint32Array(4);
  philox(counter, key, out);
  return [...out];
}

/** Philox 4x32-10 as the paper states it, in whole numbers of any size. */
function oracle(counter: Counter, key: Key): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const product0 = 0xd2511f53n * c0;
    const product1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(product1 >> 32n) ^ c1 ^ k0, product1, (product0 >> 32n) ^ c3 ^ k1, product0].map((word) =>
      BigInt.asUintN(32, word),
    ) as [bigint, bigint, bigint, bigint];
    [k0, k1] = [BigInt.asUintN(32, k0 + 0x9e3779b9n), BigInt.asUintN(32, k1 + 0xbb67ae85n)];
  }
  return [c0, c1, c2, c3].map(Number);
}

function numbers(seed: number, scale: number, token: number, bits: number): Float32Array {
  const out = new Float32Array(bits);
  uniforms(seed, scale, token, out);
  return out;
}

describe("philox", () => {
  // Known answers: `kat_vectors` of Random123, lines "philox4x32 10".
  it.each<[string, Counter, Key, number[]]>([
    ["zeros", [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [
      "ones",
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      "digits of pi",
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])("gives the published answer for %s", (_, counter, key, expected) => {
    expect(words(counter, key)).toEqual(expected);
  });

  it("agrees with its definition in big integers", () => {
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (counter, key) => {
        expect(words(counter, key)).toEqual(oracle(counter, key));
      }),
      { numRuns: 300 },
    );
  });
});

describe("uniforms", () => {
  it("are the upper 24 bits of the words counted by bit, token, scale under the seed's key", () => {
    const found = numbers(7, 3, 21, 6);
    const expected = [...words([0, 21, 3, 0], [7, 0]), ...words([1, 21, 3, 0], [7, 0])].slice(0, 6);
    expect([...found]).toEqual(expected.map((word) => (word >>> 8) / 2 ** 24));
  });

  it("take a seed beyond 32 bits whole", () => {
    const [first] = words([0, 0, 0, 0], [5, 1]);
    expect(numbers(2 ** 32 + 5, 0, 0, 1)[0]).toBe(((first ?? NaN) >>> 8) / 2 ** 24);
  });

  it("lie in [0, 1), spread evenly", () => {
    const all = Array.from({ length: 4096 }, (_, token) => [...numbers(1, 2, token, 16)]).flat();
    expect(all.every((value) => value >= 0 && value < 1)).toBe(true);
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
    const variance = all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length;
    // Five standard errors of 65,536 draws: √(1/12/n) = 1.1e-3 for the mean, √(1/180/n) = 2.9e-4 for the variance.
    expect(Math.abs(mean - 1 / 2)).toBeLessThan(5.7e-3);
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(1.5e-3);
  });

  it("depend on their own place only, not on what is drawn before or how many bits are asked for", () => {
    const wanted = numbers(9, 4, 100, 32);
    numbers(1, 1, 1, 7);
    expect(numbers(9, 4, 100, 32)).toEqual(wanted);
    expect(numbers(9, 4, 100, 5)).toEqual(wanted.slice(0, 5));
  });

  it("differ from seed to seed, scale to scale and token to token", () => {
    const draws = [
      [0, 0, 0],
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [2 ** 32 - 1, 0, 0],
    ].map(([seed = 0, scale = 0, token = 0]) => numbers(seed, scale, token, 16).join());
    expect(new Set(draws).size).toBe(draws.length);
  });
});
