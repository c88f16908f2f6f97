/**
 * From logits to bits. Every bit is a choice between two values, so the rules of large vocabularies become simple:
 * top-k with k = 1 takes the likelier value and with k ≥ 2 limits nothing; top-p drops the less likely value where its
 * probability is at most 1 − p.
 */
import { uniforms } from "./random.js";

/** Limits on the choice. */
export interface SamplingLimits {
  /** 1 is greedy; 0 and everything from 2 on are no limit. */
  readonly topK: number;
  /** In (0, 1) the less likely value needs a probability above 1 − topP; 0 and 1 are no limit. */
  readonly topP: number;
}

/** Bits of one image's scale. */
export interface ScaleLogits {
  /** [tokens, bits, 2]: the logit of 0, the logit of 1. */
  readonly logits: Float32Array;
  readonly tokens: number;
  /** Bits of a token. */
  readonly bits: number;
}

/**
 * Draws [tokens, bits] values of 0 and 1. Equal logits under top-k 1 leave both values in play, as the published code
 * does: it removes only what is smaller than the k-th largest.
 */
export function sampleBits(
  { logits, tokens, bits }: ScaleLogits,
  { topK, topP }: SamplingLimits,
  seed: number,
  scale: number,
): Uint8Array {
  const drawn = new Uint8Array(tokens * bits);
  const random = new Float32Array(bits);
  for (let token = 0; token < tokens; token++) {
    uniforms(seed, scale, token, random);
    for (let bit = 0; bit < bits; bit++) {
      const at = token * bits + bit;
      const one = probabilityOfOne(logits[2 * at]!, logits[2 * at + 1]!, topK, topP);
      // The lower part of [0, 1) stands for 0, the upper for 1.
      drawn[at] = random[bit]! >= 1 - one ? 1 : 0;
    }
  }
  return drawn;
}

/** Probability that a bit is 1 once the limits are applied. */
export function probabilityOfOne(zero: number, one: number, topK: number, topP: number): number {
  const probability = 1 / (1 + Math.exp(zero - one));
  if (topK === 1 && zero !== one) return one > zero ? 1 : 0;
  const limited = topP > 0 && topP < 1;
  if (limited && Math.min(probability, 1 - probability) <= 1 - topP) return one >= zero ? 1 : 0;
  return probability;
}

/**
 * Temperature, then guidance on the logits: guidance · conditional + (1 − guidance) · unconditional, both divided by the
 * temperature first. The arrays hold one image's scale each; without an unconditional one the logits are only divided.
 */
export function guideLogits(
  conditional: Float32Array,
  unconditional: Float32Array | undefined,
  guidance: number,
  temperature: number,
): Float32Array {
  const scale = 1 / temperature;
  if (!unconditional) return conditional.map((logit) => logit * scale);
  return conditional.map((logit, i) => guidance * logit * scale + (1 - guidance) * unconditional[i]! * scale);
}
