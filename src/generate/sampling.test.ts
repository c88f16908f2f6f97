import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { uniforms } from "./random.js";
import { guideLogits, probabilityOfOne, sampleBits } from "./sampling.js";

const NO_LIMIT = { topK: 0, topP: 0 };

function softmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/**
 * The published rules for a vocabulary of any size: keep what is not below the k-th largest logit; then, from the
 * smallest up, remove values as long as their probabilities add up to at most 1 − p, but never the largest.
 */
function oracle(logits: readonly number[], topK: number, topP: number): number[] {
  let kept = [...logits];
  if (topK > 0) {
    const limit = [...kept].sort((a, b) => b - a)[Math.min(topK, kept.length) - 1]!;
    kept = kept.map((logit) => (logit < limit ? -Infinity : logit));
  }
  if (topP > 0) {
    const order = kept.map((_, i) => i).sort((a, b) => kept[a]! - kept[b]!);
    const probabilities = softmax(kept);
    let sum = 0;
    for (const i of order.slice(0, -1)) {
      sum += probabilities[i]!;
      if (sum <= 1 - topP) kept[i] = -Infinity;
    }
  }
  return softmax(kept);
}

describe("probabilityOfOne", () => {
  it("follows the published top-k and top-p", () => {
    const logit = fc.double({ min: -20, max: 20, noNaN: true });
    const topP = fc.oneof(fc.constantFrom(0, 0.5, 0.97, 1), fc.double({ min: 0, max: 1, noNaN: true }));
    fc.assert(
      fc.property(logit, logit, fc.constantFrom(0, 1, 2, 900), topP, (zero, one, k, p) => {
        const smaller = Math.min(...softmax([zero, one]));
        // Within rounding of the limit either side of it is right.
        fc.pre(Math.abs(smaller - (1 - p)) > 1e-12);
        expect(probabilityOfOne(zero, one, k, p)).toBeCloseTo(oracle([zero, one], k, p)[1]!, 12);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    { zero: 1, one: 1.001, expected: 1 },
    { zero: 1.001, one: 1, expected: 0 },
    { zero: -3, one: -3, expected: 0.5 },
  ])("takes the larger of $zero and $one under top-k 1, both where they are equal", ({ zero, one, expected }) => {
    expect(probabilityOfOne(zero, one, 1, 0)).toBe(expected);
    expect(oracle([zero, one], 1, 0)[1]).toBe(expected);
  });

  it("drops the less likely value exactly at 1 − p and keeps it just above", () => {
    expect(probabilityOfOne(0, 0, 0, 0.5)).toBe(1);
    expect(probabilityOfOne(0, 0, 0, 0.51)).toBe(0.5);
    const quarter = Math.log(3); // odds of 3 to 1: probabilities 0.75 and 0.25
    expect(probabilityOfOne(quarter, 0, 0, 0.74)).toBe(0);
    expect(probabilityOfOne(quarter, 0, 0, 0.76)).toBeCloseTo(0.25, 12);
    expect(probabilityOfOne(0, quarter, 0, 0.74)).toBe(1);
  });

  it("does not overflow on logits far apart", () => {
    expect(probabilityOfOne(-3000, 3000, 0, 0)).toBe(1);
    expect(probabilityOfOne(3000, -3000, 0, 0)).toBe(0);
  });
});

describe("sampleBits", () => {
  const logits = Float32Array.from({ length: 3 * 5 * 2 }, (_, i) => Math.sin(i * 2.3));

  it("sets a bit where its own random number is in the upper part", () => {
    const bits = sampleBits({ logits, tokens: 3, bits: 5 }, NO_LIMIT, 11, 4);
    const random = new Float32Array(5);
    bits.forEach((bit, at) => {
      uniforms(11, 4, Math.floor(at / 5), random);
      const one = probabilityOfOne(logits[2 * at]!, logits[2 * at + 1]!, 0, 0);
      expect(bit).toBe(random[at % 5]! >= 1 - one ? 1 : 0);
    });
    expect(bits).toHaveLength(15);
  });

  it("is the same for a seed and scale, another for another of either", () => {
    const draw = (seed: number, scale: number): string =>
      sampleBits({ logits: new Float32Array(2 * 64), tokens: 4, bits: 16 }, NO_LIMIT, seed, scale).join("");
    expect(draw(1, 2)).toBe(draw(1, 2));
    expect(new Set([draw(1, 2), draw(2, 2), draw(1, 3)]).size).toBe(3);
  });

  it("is greedy under top-k 1, whatever the seed", () => {
    const greedy = sampleBits({ logits, tokens: 3, bits: 5 }, { topK: 1, topP: 0.97 }, 5, 0);
    expect([...greedy]).toEqual(Array.from({ length: 15 }, (_, at) => (logits[2 * at + 1]! > logits[2 * at]! ? 1 : 0)));
    expect(sampleBits({ logits, tokens: 3, bits: 5 }, { topK: 1, topP: 0.97 }, 6, 9)).toEqual(greedy);
  });

  it.each([0.05, 0.3, 0.5, 0.9])("draws ones as often as their probability, %d", (probability) => {
    const tokens = 2048;
    const bits = 16;
    const one = Math.log(probability / (1 - probability));
    const pairs = Float32Array.from({ length: tokens * bits * 2 }, (_, i) => (i % 2) * one);
    const drawn = sampleBits({ logits: pairs, tokens, bits }, NO_LIMIT, 3, 1);
    const frequency = drawn.reduce((sum, bit) => sum + bit, 0) / drawn.length;
    // Five standard errors of 32,768 draws, at most 5 · √(0.25 / n).
    expect(Math.abs(frequency - probability)).toBeLessThan(0.014);
  });
});

describe("guideLogits", () => {
  const conditional = Float32Array.of(1, -2, 3.5);
  const unconditional = Float32Array.of(0.5, 4, -1);

  it("divides by the temperature where nothing guides", () => {
    expect([...guideLogits(conditional, undefined, 7, 0.5)]).toEqual([2, -4, 7]);
  });

  it("goes from the unconditional through the conditional, both divided by the temperature", () => {
    const guided = guideLogits(conditional, unconditional, 3, 2);
    // (3 · c − 2 · u) / 2; every number here is exact in float32.
    expect([...guided]).toEqual([1, -7, 6.25]);
    expect([...guideLogits(conditional, unconditional, 1, 1)]).toEqual([...conditional]);
    expect([...guideLogits(conditional, unconditional, 0, 1)]).toEqual([...unconditional]);
  });

  it("leaves its inputs as they are", () => {
    guideLogits(conditional, unconditional, 3, 2);
    expect([...conditional, ...unconditional]).toEqual([1, -2, 3.5, 0.5, 4, -1]);
  });
});
