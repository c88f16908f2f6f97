import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { wave } from "../../../test/support/arrays.js";
import { storedTensor } from "../../../test/support/graph.js";
import { Session, type Tensors } from "../../runtime/session.js";
import { values, type Tensor } from "../../runtime/tensor.js";
import { lookupIn, type Lookup } from "../lookup.js";
import { Chain, rowsOfStrip, STRIP_BYTES } from "./chain.js";
import type { VaeConfig } from "./config.js";
import { zeros, type FeatureMap } from "./feature-map.js";
import { decoderSteps, encoderSteps } from "./steps.js";
import { vaeTensors } from "./tensors.js";

/** One that changes channels at every level, and one of the other number of groups, with codes as few as the 8B's. */
const CONFIGS: VaeConfig[] = [
  { bits: 16, base: 32, multipliers: [1, 2], blocks: 1, stride: 2 },
  { bits: 14, base: 24, multipliers: [1, 1, 2], blocks: 1, stride: 4 },
];

/** Random weights: norms about 1, kernels that keep a signal's size, images that stay within [−1, 1]. */
function randomWeights(config: VaeConfig): Lookup {
  const tensors = [...vaeTensors(config)].map(([name, shape], i) => {
    const fan = shape.slice(1).reduce((product, size) => product * size, 1);
    const spread = name.includes("conv_out") ? 0.1 : 1;
    const weigh = (value: number): number =>
      name.endsWith("norm.weight") ? 1 + value / 4 : (spread * value) / Math.sqrt(fan);
    return [name, storedTensor(name, { shape, values: wave(shape, i).values.map(weigh) })] as const;
  });
  return lookupIn(new Map(tensors), "memory");
}

const open: Chain[] = [];

function chainOf(config: VaeConfig, part: "decoder" | "encoder", stripBytes: number): Chain {
  const [steps, grain] = part === "decoder" ? [decoderSteps(config), 1] : [encoderSteps(config), config.stride];
  const lookup = randomWeights(config);
  const chain = new Chain(steps, (name) => lookup(`${part}.${name}`), grain, { device: "cpu", stripBytes });
  open.push(chain);
  return chain;
}

afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  for (const chain of open) await chain.dispose();
});

/** A map that differs everywhere. */
function noise(channels: number, height: number, width: number, seed: number): FeatureMap {
  const map = zeros(1, channels, { height, width });
  map.data.set(wave([map.data.length], seed).values);
  return map;
}

/** The result's strips, each [channels, rows, width]. */
async function strips(chain: Chain, map: FeatureMap): Promise<number[][]> {
  const found: number[][] = [];
  await chain.run(map, (strip) => found.push([...strip]));
  return found;
}

/** Strips of `channels` as one map, [channels, height · width]. */
function joined(parts: readonly number[][], channels: number): number[] {
  return Array.from({ length: channels }, (_, channel) =>
    parts.flatMap((part) => part.slice((channel * part.length) / channels, ((channel + 1) * part.length) / channels)),
  ).flat();
}

it.each([
  { kib: 64, rows: 32, why: "2 MiB" },
  { kib: 256, rows: 16, why: "4 MiB, for 16 rows" },
  { kib: 512, rows: 16, why: "8 MiB, for 16 rows" },
  { kib: 1024, rows: 8, why: "8 MiB at most" },
  { kib: 16_384, rows: 0, why: "less than a row" },
])("on the host a strip with rows of $kib KiB has $why", ({ kib, rows }) => {
  expect(rowsOfStrip(1024 * kib, STRIP_BYTES.host)).toBe(rows);
});

describe.each(CONFIGS)("$bits bits, stride $stride", (config) => {
  it.each(["decoder", "encoder"] as const)("the %s gives the same wherever the map is cut", async (part) => {
    const decodes = part === "decoder";
    const [into, out, unit] = decodes ? [config.bits, 3, 1] : [3, config.bits, config.stride];
    const whole = chainOf(config, part, Infinity);
    const side = fc.integer({ min: 1, max: 7 });
    const heights = fc.integer({ min: 1, max: 4 });
    // One to four rows a strip (an encoder's: rows of codes) where the width is 1; a wider map gets lower strips.
    const cut = [1, 2, 3, 4].map((rows) => chainOf(config, part, rows * rowBytes(config, decodes)));
    await fc.assert(
      fc.asyncProperty(side, side, heights, fc.integer(), async (height, width, rows, seed) => {
        const map = noise(into, height * unit, width * unit, seed);
        const expected = await strips(whole, map);
        const found = await strips(cut[rows - 1]!, map);
        expect(expected).toHaveLength(1);
        // No strip is higher than asked for, but for a single row that is wide by itself.
        const highest = Math.max(
          ...found.map((strip) => strip.length / out / (decodes ? width * config.stride : width)),
        );
        expect(highest).toBeLessThanOrEqual(Math.max(1, Math.floor(rows / width)));
        const [a, b] = [joined(found, out), joined(expected, out)];
        expect(a).toHaveLength(b.length);
        if (decodes) expect(Math.max(...b.map(Math.abs))).toBeLessThan(1); // nothing is cut off
        // Equal to the bit where a kernel sums every place in the same order; others may round differently, and some
        // tens of layers add to 1e-5. A wrong row or a wrong mean is off by 1e-2 and more.
        expect(Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))).toBeLessThan(1e-4);
      }),
      { numRuns: 8 },
    );
  });
});

/** Bytes of the largest strip, where the input is cut into rows of codes and has a width of 1. */
function rowBytes({ base, multipliers, stride }: VaeConfig, decodes: boolean): number {
  return decodes ? 4 * stride * base * multipliers[1]! : 4 * stride ** 2 * base;
}

describe("memory", () => {
  const [config] = CONFIGS as [VaeConfig];
  const [HEIGHT, WIDTH] = [12, 3];
  const strip = WIDTH * rowBytes(config, true);

  /** Watches every map that a step gives: `held()` is the bytes of those that nobody has freed. */
  function watch(failAt = Infinity): { held: () => number; peak: () => number } {
    const maps: Tensor[] = [];
    let [runs, peak] = [0, 0];
    const held = (): number => maps.reduce((sum, map) => sum + 4 * values(map).length, 0);
    const run = Reflect.get(Session.prototype, "run");
    vi.spyOn(Session.prototype, "run").mockImplementation(async function (this: Session, feeds: Tensors) {
      if (runs++ === failAt) throw new Error("no memory");
      const outputs = await run.call(this, feeds);
      for (const name of ["y", "rest", "keep"]) if (outputs[name]) maps.push(outputs[name]);
      peak = Math.max(peak, held());
      return outputs;
    });
    return { held, peak: () => peak };
  }

  it("holds the largest map, the strip above the one at work and the new ones, and nothing in the end", async () => {
    const { held, peak } = watch();
    await strips(chainOf(config, "decoder", strip), noise(config.bits, HEIGHT, WIDTH, 1));
    expect(peak()).toBe((2 * HEIGHT + 2) * strip);
    expect(held()).toBe(0);
  });

  it("frees everything where a run fails", async () => {
    const { held, peak } = watch(100);
    const decoding = strips(chainOf(config, "decoder", strip), noise(config.bits, HEIGHT, WIDTH, 1));
    await expect(decoding).rejects.toThrow(new Error("no memory"));
    expect(peak()).toBeGreaterThan(0);
    expect(held()).toBe(0);
  });

  it("leaves the caller's map alone", async () => {
    const map = noise(config.bits, 2, 2, 1);
    const before = map.data.slice();
    await strips(chainOf(config, "decoder", Infinity), map);
    expect(map.data).toEqual(before);
  });
});
