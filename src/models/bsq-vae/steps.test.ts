import { describe, expect, it } from "vitest";
import { publishedShapes } from "../../../test/support/manifests.js";
import type { VaeConfig } from "./config.js";
import { decoderSteps, encoderSteps, widestRow, type Step } from "./steps.js";

const CONFIG_2B: VaeConfig = { bits: 32, base: 128, multipliers: [1, 2, 4, 4, 4], blocks: 2, stride: 16 };
const CONFIG_8B: VaeConfig = { bits: 14, base: 128, multipliers: [1, 2, 4, 4], blocks: 2, stride: 8 };

/** The tensors that steps read, with the shapes they need. */
function read(part: string, steps: readonly Step[]): [string, readonly number[]][] {
  const both = (name: string, shape: readonly number[]): [string, readonly number[]][] => [
    [`${part}.${name}.weight`, shape],
    [`${part}.${name}.bias`, shape.slice(0, 1)],
  ];
  return steps.flatMap(({ conv, norm, keep, into, out }) => [
    ...both(`${conv}.conv`, [out, into, 3, 3]),
    ...(norm === undefined ? [] : both(`${norm}.norm`, [into])),
    ...(typeof keep === "object" ? both(`${keep.conv}.conv`, [out, into, 1, 1]) : []),
  ]);
}

describe.each([
  ["infinity_2b", CONFIG_2B, 40],
  ["infinity_8b", CONFIG_8B, 33],
] as const)("the steps of %s", (model, config, count) => {
  it("read every tensor of the published file once, in its shape", () => {
    const found = [...read("decoder", decoderSteps(config)), ...read("encoder", encoderSteps(config))];
    const byName = (a: readonly [string, unknown], b: readonly [string, unknown]): number => (a[0] < b[0] ? -1 : 1);
    const published = [...publishedShapes(model).vae].filter(([name]) => /^(de|en)coder\./.test(name));
    expect(found.toSorted(byName)).toEqual(published.toSorted(byName));
  });

  it("fit each other", () => {
    const steps = decoderSteps(config);
    expect(steps).toHaveLength(count);
    steps.slice(1).forEach(({ into }, i) => expect(into).toBe(steps[i]!.out));
    expect(steps.filter(({ size }) => size === "double")).toHaveLength(Math.log2(config.stride));
    expect(encoderSteps(config).filter(({ size }) => size === "halve")).toHaveLength(Math.log2(config.stride));
    expect(steps.filter(({ clips }) => clips)).toEqual(steps.slice(-1));
  });

  it("know their widest row", () => {
    // 256 channels at full width on the way up (before the last level halves them), 128 on the way down.
    expect(widestRow(decoderSteps(config))).toBe(256 * config.stride);
    expect(widestRow(encoderSteps(config))).toBe(128);
  });
});
