import { describe, expect, it } from "vitest";
import { float32, values, type Tensor } from "../../runtime/tensor.js";
import { joinTexts, type TextCondition, type TextRows } from "./text.js";

const CONFIG = {
  ...{ depth: 2, width: 6, heads: 3, hidden: 8, textChannels: 4, textLength: 512 },
  ...{ bits: 2, patchify: false, chunks: 1, levels: 13 },
};
const DIM = 2;

/** A text whose every value tells where it comes from: text · 1e5 + place in its own tensor. */
function condition(text: number, tokens: number): TextCondition {
  const numbered = (...shape: number[]): Tensor =>
    float32(
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => text * 1e5 + i + 1),
      shape,
    );
  const { depth, width, heads } = CONFIG;
  const outputs: Record<string, Tensor> = {
    start: numbered(1, 1, width),
    modulation: numbered(1, 6, width),
    head_modulation: numbered(1, 2, width),
  };
  for (let layer = 0; layer < depth; layer++) {
    outputs[`text_k.${layer}`] = numbered(1, heads, DIM, tokens);
    outputs[`text_v.${layer}`] = numbered(1, heads, tokens, DIM);
  }
  return { tokens, outputs };
}

function join(...lengths: number[]): TextRows {
  return joinTexts(
    CONFIG,
    lengths.map((tokens, text) => condition(text, tokens)),
  );
}

describe("joinTexts", () => {
  it.each([
    { lengths: [1], padded: 64 },
    { lengths: [64, 3], padded: 64 },
    { lengths: [65, 3], padded: 128 },
    { lengths: [2, 512, 100], padded: 512 },
  ])("pads texts of $lengths tokens to $padded", ({ lengths, padded }) => {
    const { rows, layers, bias } = join(...lengths);
    const { heads } = CONFIG;
    expect(rows).toBe(lengths.length);
    expect(bias.dims).toEqual([rows, 1, 1, padded]);
    expect(layers.map(({ k, v }) => [k.dims, v.dims])).toEqual([
      [
        [rows, heads, DIM, padded],
        [rows, heads, padded, DIM],
      ],
      [
        [rows, heads, DIM, padded],
        [rows, heads, padded, DIM],
      ],
    ]);
  });

  it("puts 0 on a row's own tokens, and on the padding what no softmax leaves anything of", () => {
    const bias = values(join(3, 64).bias);
    expect([...bias.subarray(0, 3)]).toEqual([0, 0, 0]);
    expect(bias.subarray(3, 64).every((value) => Math.fround(Math.exp(value + 1e4)) === 0)).toBe(true);
    expect(bias.every(Number.isFinite)).toBe(true);
    expect(bias.subarray(64).every((value) => value === 0)).toBe(true);
  });

  it("stacks what every text gives once, in the texts' order", () => {
    const { start, modulation, headModulation } = join(2, 5);
    const counted = (length: number): number[] =>
      [0, 1e5].flatMap((text) => Array.from({ length }, (_, i) => text + i + 1));
    expect([start.dims, modulation.dims, headModulation.dims]).toEqual([
      [2, 1, 6],
      [2, 6, 6],
      [2, 2, 6],
    ]);
    expect([...values(start)]).toEqual(counted(6));
    expect([...values(modulation)]).toEqual(counted(36));
    expect([...values(headModulation)]).toEqual(counted(12));
  });

  it("keeps every key and value at its head, channel and token, zeros after them", () => {
    const lengths = [2, 5];
    const { heads } = CONFIG;
    const [layer] = join(...lengths).layers;
    const keys = values(layer!.k);
    const texts = values(layer!.v);
    lengths.forEach((tokens, row) => {
      for (let head = 0; head < heads; head++) {
        for (let channel = 0; channel < DIM; channel++) {
          for (let token = 0; token < 64; token++) {
            const k = keys[((row * heads + head) * DIM + channel) * 64 + token];
            const v = texts[((row * heads + head) * 64 + token) * DIM + channel];
            const own = token < tokens;
            expect(k).toBe(own ? row * 1e5 + (head * DIM + channel) * tokens + token + 1 : 0);
            expect(v).toBe(own ? row * 1e5 + (head * tokens + token) * DIM + channel + 1 : 0);
          }
        }
      }
    });
  });
});
