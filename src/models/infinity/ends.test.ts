import { describe, expect, it } from "vitest";
import { at, sum, tabulate, wave, type NdArray } from "../../../test/support/arrays.js";
import { storedTensor } from "../../../test/support/graph.js";
import { CPU_TARGET, type GraphModel } from "../../graph/model.js";
import { Session, type Tensors } from "../../runtime/session.js";
import { float32, int64, values, type Tensor } from "../../runtime/tensor.js";
import { lookupIn } from "../lookup.js";
import { buildEmbedding, buildGuidance, buildHead } from "./ends.js";
import { infinityTensors } from "./tensors.js";

const CONFIG = {
  ...{ depth: 1, width: 8, heads: 2, hidden: 16, textChannels: 128, textLength: 8 },
  ...{ bits: 3, patchify: false, chunks: 1, levels: 13 },
};
const ROWS = 4;
const TOKENS = 5;
const weights = new Map([...infinityTensors(CONFIG)].map(([name, shape], i) => [name, wave(shape, i)]));
const lookup = lookupIn(new Map([...weights].map(([name, array]) => [name, storedTensor(name, array)])), "memory");
const X = wave([ROWS, TOKENS, CONFIG.width]);

/** Sums of at most 8 products of numbers about 1 in float32. */
const DIGITS = 5;

function tensor({ shape, values: all }: NdArray): Tensor {
  return float32(Float32Array.from(all), shape);
}

async function expectResult(
  graph: Promise<GraphModel>,
  feeds: Tensors,
  name: string,
  expected: NdArray,
): Promise<void> {
  const session = await Session.create(await graph, { device: "cpu" });
  const found = (await session.run(feeds))[name]!;
  await session.dispose();
  expect(found.dims).toEqual(expected.shape);
  values(found).forEach((value, i) => {
    expect(value).toBeCloseTo(expected.values[i]!, DIGITS);
  });
}

describe("embedding", () => {
  it("is the codes' projection plus the embedding of the scale's level", async () => {
    const codes = wave([ROWS, TOKENS, CONFIG.bits], 1);
    const [matrix, bias, levels] = ["word_embed.weight", "word_embed.bias", "lvl_embed.weight"].map((name) =>
      weights.get(name)!,
    );
    const expected = tabulate(
      X.shape,
      (row, token, c) =>
        sum(CONFIG.bits, (bit) => at(codes, row, token, bit) * at(matrix!, c, bit)) + at(bias!, c) + at(levels!, 6, c),
    );
    const feeds = { codes: tensor(codes), level: int64([6], [1]) };
    await expectResult(buildEmbedding(CONFIG, lookup, CPU_TARGET), feeds, "x", expected);
  });
});

describe("guidance between layers", () => {
  it("gives both halves the same mix of theirs", async () => {
    const guidance = 2.5;
    const expected = tabulate(X.shape, (row, token, c) => {
      const [conditional, unconditional] = [at(X, row % 2, token, c), at(X, (row % 2) + 2, token, c)];
      return guidance * conditional + (1 - guidance) * unconditional;
    });
    const feeds = { x: tensor(X), guidance: float32(Float32Array.of(guidance), []) };
    await expectResult(buildGuidance(CONFIG), feeds, "y", expected);
  });
});

describe("head", () => {
  it("projects the modulated norm to two logits a bit", async () => {
    const modulation = wave([ROWS, 2, CONFIG.width], 2);
    const [matrix, bias] = ["head.weight", "head.bias"].map((name) => weights.get(name)!);
    const width = CONFIG.width;
    const normed = tabulate(X.shape, (row, token, c) => {
      const mean = sum(width, (i) => at(X, row, token, i)) / width;
      const variance = sum(width, (i) => (at(X, row, token, i) - mean) ** 2) / width;
      const standard = (at(X, row, token, c) - mean) / Math.sqrt(variance + 1e-6);
      return standard * (1 + at(modulation, row, 0, c)) + at(modulation, row, 1, c);
    });
    const expected = tabulate(
      [ROWS, TOKENS, 2 * CONFIG.bits],
      (row, token, logit) => sum(width, (c) => at(normed, row, token, c) * at(matrix!, logit, c)) + at(bias!, logit),
    );
    const feeds = { x: tensor(X), modulation: tensor(modulation) };
    await expectResult(buildHead(CONFIG, lookup, CPU_TARGET), feeds, "logits", expected);
  });
});
