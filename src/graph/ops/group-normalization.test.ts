import { describe, expect, it } from "vitest";
import { Session } from "../../runtime/session.js";
import { float32, values } from "../../runtime/tensor.js";
import { GraphBuilder } from "../builder.js";
import { GroupNormalization } from "./group-normalization.js";

const EPSILON = 1e-6;

async function run(x: Float32Array, shape: readonly number[], groups: number): Promise<Float32Array> {
  const [, channels = 0] = shape;
  const g = new GraphBuilder("group norm");
  const input = g.input("x", "float32", ["batch", channels, "height", "width"]);
  const scale = g.constant(
    "float32",
    [channels],
    Float32Array.from({ length: channels }, (_, c) => 1 + c / 8),
  );
  const bias = g.constant(
    "float32",
    [channels],
    Float32Array.from({ length: channels }, (_, c) => c / 4 - 1),
  );
  const y = GroupNormalization(g, input, scale, bias, { channels, groups, epsilon: EPSILON });
  g.output("y", y, "float32", ["batch", channels, "height", "width"]);
  const session = await Session.create(await g.build(), { device: "cpu" });
  const { y: found } = await session.run({ x: float32(x, shape) });
  await session.dispose();
  if (!found) throw new Error("no output");
  return values(found);
}

/** In double precision, straight from the definition. */
function oracle(x: Float32Array, [batch = 0, channels = 0, height = 0, width = 0]: number[], groups: number): number[] {
  const perGroup = (channels / groups) * height * width;
  const result: number[] = [];
  for (let start = 0; start < batch * channels * height * width; start += perGroup) {
    const group = [...x.subarray(start, start + perGroup)];
    const mean = group.reduce((a, b) => a + b, 0) / perGroup;
    const variance = group.reduce((sum, value) => sum + (value - mean) ** 2, 0) / perGroup;
    group.forEach((value, i) => {
      const channel = Math.floor((start + i) / (height * width)) % channels;
      result.push(((value - mean) / Math.sqrt(variance + EPSILON)) * (1 + channel / 8) + channel / 4 - 1);
    });
  }
  return result;
}

describe("GroupNormalization", () => {
  it.each([
    { shape: [2, 6, 3, 5], groups: 3 },
    { shape: [1, 4, 1, 1], groups: 2 },
    { shape: [1, 4, 7, 2], groups: 4 },
  ])("follows its definition for $shape in $groups groups", async ({ shape, groups }) => {
    const x = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 3 + Math.sin(i * 1.7));
    const found = await run(x, shape, groups);
    oracle(x, shape, groups).forEach((expected, i) => {
      expect(found[i]).toBeCloseTo(expected, 5);
    });
  });

  it("stays exact on a large map far from 0", async () => {
    // 2 × 512 × 512 values a group about 30: sums of squares would lose the variance, one long sum the mean.
    const shape = [1, 2, 512, 512];
    const x = Float32Array.from({ length: 2 * 512 * 512 }, (_, i) => 30 + Math.sin(i * 0.37));
    const found = await run(x, shape, 1);
    const expected = oracle(x, shape, 1);
    const worst = found.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (expected[i] ?? NaN))), 0);
    expect(worst).toBeLessThan(2e-5); // 30 in float32 is known to 2e-6, and the deviation is 0.7
  });
});
