import { describe, expect, it } from "vitest";
import { float32, values, type Tensor } from "../../runtime/tensor.js";
import { joinTexts, type TextCondition, type TextRows } from "./text.js";

const CONFIG = {
  ...{ depth: 2, width: 6, heads: 3, hidden: 8, textChannels: 4, textLength: 512 },
  ...{ bits: 2, patchify: false, chunks: 1, levels: 13 },
};

/** A text whose every value tells where it comes from: text · 1e5 + place in its own tensor. */
function condition(text: number, tokens: number): TextCondition {
  const numbered = (...shape: number[]): Tensor =>
    float32(
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => text * 1e5 + i + 1),
      shape,
    );
  const { depth, width } = CONFIG;
  const outputs: Record<string, Tensor> = {
    start: numbered(1, 1, width),
    modulation: numbered(1, 6, width),
    head_modulation: numbered(1, 2, width),
  };
  for (let layer = 0; layer < depth; layer++) {
    outputs[`text_k.${layer}`] = numbered(1, tokens, width);
    outputs[`text_v.${layer}`] = numbered(1, tokens, width);
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
    const shape = [lengths.length, padded, CONFIG.width];
    expect(rows).toBe(lengths.length);
    expect(bias.dims).toEqual([rows, 1, 1, padded]);
    expect(layers.map(({ k, v }) => [k.dims, v.dims])).toEqual([
      [shape, shape],
      [shape, shape],
    ]);
  });

  it("tells where every row's text begins and ends, by row and token", () => {
    const { starts, ends } = join(3, 70);
    const read = ({ data, dims }: Tensor): unknown => [dims, Array.from(data as BigInt64Array, Number)];
    expect([read(starts), read(ends)]).toEqual([
      [
        [2, 2],
        [0, 0, 1, 0],
      ],
      [
        [2, 2],
        [1, 3, 2, 70],
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

  it("keeps every key and value at its token and channel, zeros after them", () => {
    const lengths = [2, 5];
    const [layer] = join(...lengths).layers;
    lengths.forEach((tokens, row) => {
      for (const tensor of [layer!.k, layer!.v]) {
        const own = values(tensor).subarray(row * 64 * CONFIG.width, (row + 1) * 64 * CONFIG.width);
        const expected = Array.from(own, (_, i) => (i < tokens * CONFIG.width ? row * 1e5 + i + 1 : 0));
        expect([...own]).toEqual(expected);
      }
    });
  });
});
