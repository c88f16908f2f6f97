/**
 * ScaleKV with `reference` scoring against the published PyTorch code: which positions stay in every layer after every
 * scale, and what the model then says. The reference evicts after the last scale as well; we cache nothing there, so
 * those positions are not compared.
 *
 * Tolerances: positions 99.9 % equal, for two keys of almost equal score may change places by float32 rounding; logits
 * 2e-3 of the scale's largest.
 */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { traceCase } from "../../src/generate/trace.js";
import { golden, GOLDEN, readCase, readTensors, type Tensors } from "../support/golden.js";
import { inTemporaryFolder } from "../support/temporary.js";

async function trace(name: string, model: string): Promise<Tensors> {
  return inTemporaryFolder(async (folder) => {
    const out = join(folder, "trace.safetensors");
    await traceCase(join(GOLDEN, "models", model), join(GOLDEN, "cases", name), out);
    return readTensors(out);
  });
}

/** Names of the positions that stay after any scale but the last. */
function keptNames(expected: Tensors, scales: number): string[] {
  return [...expected.keys()].filter((name) => {
    const [kind, scale] = name.split(".");
    return kind === "kept" && Number(scale) < scales - 1;
  });
}

/** Share of the expected positions of every lane that were found. */
function agreement(expected: Tensors, found: Tensors, name: string): number {
  const reference = golden(expected, name);
  const ours = golden(found, name);
  expect(ours.shape, name).toEqual(reference.shape);
  const lane = reference.shape.at(-1)!;
  let same = 0;
  for (let start = 0; start < reference.values.length; start += lane) {
    const kept = new Set(ours.values.subarray(start, start + lane));
    same += reference.values.subarray(start, start + lane).filter((position) => kept.has(position)).length;
  }
  return same / reference.values.length;
}

function expectSameLogits(expected: Tensors, found: Tensors, name: string): void {
  const reference = golden(expected, name).values;
  const ours = golden(found, name).values;
  const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = reference.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i]!)), 0);
  expect(difference / largest, name).toBeLessThanOrEqual(2e-3);
}

describe("forced bits", () => {
  it.each(["scalekv-025m", "scalekv-025m-avgpool-batch2", "scalekv-1m-published-2b-budget"])(
    "%s",
    async (name) => {
      const { expected, model, schedule } = await readCase(name);
      const found = await trace(name, model);
      const kept = keptNames(expected, schedule.length);
      expect(keptNames(found, schedule.length).toSorted()).toEqual(kept.toSorted());
      for (const tensor of kept) expect(agreement(expected, found, tensor), tensor).toBeGreaterThanOrEqual(0.999);
      const logits = [...expected.keys()].filter((tensor) => tensor.startsWith("logits."));
      expect(logits.length).toBeGreaterThan(0);
      for (const tensor of logits) expectSameLogits(expected, found, tensor);
    },
    180_000,
  );
});

it("greedy choices give the reference's bits", async () => {
  const { expected, model, schedule } = await readCase("greedy-scalekv-025m");
  const found = await trace("greedy-scalekv-025m", model);
  for (let scale = 0; scale < schedule.length; scale++) {
    expect(golden(found, `bits.${scale}`), `scale ${scale}`).toEqual(golden(expected, `bits.${scale}`));
  }
});

it("chooses what stays as the published selection does", async () => {
  const expected = await readTensors(join(GOLDEN, "cases/selection/expected.safetensors"));
  const found = await trace("selection", "tiny");
  for (const name of expected.keys()) expect(agreement(expected, found, name), name).toBeGreaterThanOrEqual(0.999);
});
