/** The embedded model under every policy: what a call promises of images and bytes, whatever stays in the cache. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { heldBytes } from "../../src/cache/kv-cache.js";
import {
  choosePolicy,
  isHeadwise,
  isMerging,
  POLICY_NAMES,
  type CachePolicyOptions,
  type PolicyName,
} from "../../src/cache/registry.js";
import type { StorageType } from "../../src/cache/storage.js";
import { OptionError } from "../../src/errors.js";
import { Engine } from "../../src/generate/engine.js";
import type { DrawnImage, DrawOptions, DrawProgress, DrawResult } from "../../src/generate/types.js";
import { scheduleFor, type PixelClass } from "../../src/models/infinity/schedule.js";
import { resolveModel } from "../../src/models/folder.js";
import { madeUpCalibration } from "../support/calibration.js";

const FOX = "a red fox in the snow";
/** More than 64 tokens, so that shorter texts beside it are padded further than alone. */
const PROMPTS = [FOX, "", "a lighthouse on a high cliff above the sea, ".repeat(12)];
const SEEDS = [7, 3, 5];

/** Sizes of the embedded model. */
const MODEL = { depth: 4, heads: 4, width: 128 };

const COMPRESSING = POLICY_NAMES.filter((name) => name !== "full");

const CALIBRATION = madeUpCalibration({ model: MODEL, maps: scheduleFor("0.06M").maps });

let engine: Engine;
/** Loaded for policies that treat heads apart. */
let headwise: Engine;
/** Loaded for policies that merge tokens. */
let merging: Engine;
/** {@link FOX} with seed 7 and the full cache. */
let fox: DrawResult;

beforeAll(async () => {
  engine = await Engine.load("tiny", {}, resolveModel);
  const cache = { budget: "30%", calibration: CALIBRATION };
  headwise = await Engine.load("tiny", { cache: { ...cache, policy: "hack" } }, resolveModel);
  merging = await Engine.load("tiny", { cache: { ...cache, policy: "adaptive" } }, resolveModel);
  fox = await draw([FOX], {});
});
afterAll(async () => {
  await engine.dispose();
  await headwise.dispose();
  await merging.dispose();
});

function draw(prompts: readonly string[], options: DrawOptions): Promise<DrawResult> {
  return engineFor(options.cache ?? {}).draw(prompts, { pixels: "0.06M", seed: 7, ...options });
}

function engineFor(cache: CachePolicyOptions): Engine {
  if (isMerging(cache)) return merging;
  return isHeadwise(cache) ? headwise : engine;
}

/** Images are compared as text: vitest takes seconds to compare typed arrays of this size. */
function bytesOf({ data }: Pick<DrawnImage, "data">): string {
  return Buffer.from(data).toString("base64");
}

/** An image in a cache. */
interface Held {
  readonly pixels: PixelClass;
  readonly ratio: number;
  readonly rows: number;
  readonly storage: StorageType;
}

/** Bytes after every layer or head by the plan, [scale][slot]; of the last scale nothing is kept, so there they stay. */
function plannedBytes(policy: PolicyName, budget: string, { pixels, ratio, rows, storage }: Held): number[][] {
  const { maps } = scheduleFor(pixels, ratio);
  const { depth, heads, width } = MODEL;
  const wish = { policy, budget, ...(isHeadwise({ policy }) ? { calibration: CALIBRATION } : {}) };
  const plan = choosePolicy(wish, { model: MODEL, maps, tokenBytes: 1 }).policy.plan({ layers: depth, heads, maps });
  const slot = { storage, heads: plan.headwise ? 1 : heads, dim: width / heads, plan, merging: isMerging({ policy }) };
  const { lengths } = plan;
  let bytes = 0;
  return [...lengths, lengths.at(-1)!].map((slots, scale, all) =>
    slots.map((length, i) => (bytes += rows * (heldBytes(slot, length) - heldBytes(slot, all[scale - 1]?.[i] ?? 0)))),
  );
}

function expectPlannedBytes({ report: { stages, cache } }: DrawResult, planned: readonly (readonly number[])[]): void {
  const expected = planned.map((layers, scale) => ({ name: `scale ${scale + 1}`, cacheBytes: layers.at(-1) }));
  const ends = (name: string) => ({ name, cacheBytes: 0 });
  expect(stages.map(({ name, cacheBytes }) => ({ name, cacheBytes }))).toEqual([
    ends("text"),
    ...expected,
    ends("vae"),
  ]);
  expect(cache.peakBytes).toBe(Math.max(...planned.flat()));
  expect(cache.peakBytes).toBeLessThan(cache.fullBytes);
}

describe.each(COMPRESSING)("%s", (policy) => {
  const calibration = isHeadwise({ policy }) ? CALIBRATION : undefined;
  const cache = { policy, budget: "30%", calibration } as const;

  /** {@link FOX} with seed 7, which the others compare with. */
  let result: DrawResult;
  beforeAll(async () => {
    result = await draw([FOX], { cache });
  });

  it("draws an image of its own, and holds after every scale what it planned", () => {
    // 30 % by the paper's rounding: 1,825 of 6,425 tokens and in proportion of 265.
    expect([result.report.policy, result.report.budget]).toEqual([policy, 80]);
    expectPlannedBytes(result, plannedBytes(policy, "30%", { pixels: "0.06M", ratio: 1, rows: 2, storage: "fp32" }));
    expect(bytesOf(result.image)).not.toBe(bytesOf(fox.image));
  });

  it("draws what the full cache draws, to the byte, if the budget covers the history", async () => {
    const { image, report } = await draw([FOX], { cache: { ...cache, budget: "100%" } });
    expect(bytesOf(image)).toBe(bytesOf(fox.image));
    // A model that merges also holds for how many each token stands.
    const everything = await engineFor(cache).draw([FOX], { pixels: "0.06M", seed: 7, cache: { policy: "full" } });
    expect(report.cache).toEqual(everything.report.cache);
  });

  it("draws three images in a batch as each alone", async () => {
    const { images } = await draw(PROMPTS, { seed: SEEDS, cache });
    expect(new Set(images.map(bytesOf)).size).toBe(3);
    expect(bytesOf(images[0]!)).toBe(bytesOf(result.image));
    for (const { prompt, seed, ...together } of images.slice(1)) {
      const alone = await draw([prompt], { seed, cache });
      expect(bytesOf(together)).toBe(bytesOf(alone.image));
    }
  });

  it("may be given up, and the next image is as if nothing had been", async () => {
    const controller = new AbortController();
    const onProgress = (event: DrawProgress): void => {
      // By then every policy has evicted.
      if (event.stage === "scale" && event.scale === 6 && event.layer === 2) controller.abort("seen enough");
    };
    await expect(draw([FOX], { cache, signal: controller.signal, onProgress })).rejects.toBe("seen enough");
    expect(bytesOf((await draw([FOX], { cache })).image)).toBe(bytesOf(result.image));
  });
});

it("a policy that treats heads apart needs a model loaded for such, which draws with any other as well", async () => {
  const cache = { policy: "heatkv", budget: "30%", calibration: CALIBRATION } as const;
  const seen: DrawProgress[] = [];
  const refused = engine.draw([FOX], { pixels: "0.06M", cache, onProgress: (event) => seen.push(event) });
  await expect(refused).rejects.toThrow(
    new OptionError("policy: treats heads apart, so it must be named when the model is loaded"),
  );
  // Before anything is computed for it.
  expect(seen).toEqual([]);
  const options = { pixels: "0.06M", seed: 7, cache: { policy: "scalekv", budget: "30%" } } as const;
  const [apart, together] = [await headwise.draw([FOX], options), await engine.draw([FOX], options)];
  expect(bytesOf(apart.image)).toBe(bytesOf(together.image));
  expect(apart.report.cache).toEqual(together.report.cache);
});

it("a policy that merges tokens needs a model loaded for such", async () => {
  const refused = engine.draw([FOX], { pixels: "0.06M", cache: { policy: "adaptive", budget: "30%" } });
  await expect(refused).rejects.toThrow(
    new OptionError("policy: merges tokens, so it must be named when the model is loaded"),
  );
});

it("previews change nothing of an image whose cache is compressed", async () => {
  const cache = { policy: "scalekv", budget: "30%" } as const;
  const seen: number[] = [];
  const watched = await draw([FOX], { cache, onScale: ({ scale }) => void seen.push(scale) });
  expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
  expect(bytesOf(watched.image)).toBe(bytesOf((await draw([FOX], { cache })).image));
});

it("a tall image of 0.25M holds after every scale what was planned", async () => {
  const result = await draw([FOX], {
    pixels: "0.25M",
    ratio: 3,
    guidance: 1,
    cache: { policy: "scalekv", budget: "10%" },
  });
  const size = { pixels: "0.25M", ratio: 3, rows: 1, storage: "fp32" } as const;
  expectPlannedBytes(result, plannedBytes("scalekv", "10%", size));
});

describe.each(["fp16", "int8"] as const)("stored as %s", (storage) => {
  it("the cache holds what was planned, and a budget that covers the history changes nothing", async () => {
    const narrow = await Engine.load("tiny", { cache: { storage } }, resolveModel);
    const drawn = (policy: PolicyName, budget: string | undefined): Promise<DrawResult> =>
      narrow.draw([FOX], { pixels: "0.06M", seed: 7, cache: { policy, budget } });
    try {
      const size = { pixels: "0.06M", ratio: 1, rows: 2, storage } as const;
      expectPlannedBytes(await drawn("scalekv", "30%"), plannedBytes("scalekv", "30%", size));
      const [everything, covered] = [await drawn("full", undefined), await drawn("scalekv", "100%")];
      expect(bytesOf(covered.image)).toBe(bytesOf(everything.image));
    } finally {
      await narrow.dispose();
    }
  });
});
