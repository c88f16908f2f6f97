/** Wishes made definite, and the artist between a run and an engine: the embedded model's files, and a made-up engine. */
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { task, tasks } from "../../test/support/run.js";
import { ModelError, OptionError, SamplingError } from "../errors.js";
import type { Draw, DrawOptions, DrawResult, Pipeline, PipelineOptions } from "../generate/types.js";
import { Artist } from "./artist.js";
import { settingsHash } from "./manifest.js";
import { resolveWish, type RunWish } from "./resolve.js";
import type { Run } from "./run.js";
import type { RunSettings } from "./settings.js";
import type { Task } from "./task.js";

const TINY: RunWish = { model: { name: "tiny" }, options: {}, drawing: {} };

/** What an engine was asked for. */
interface Asked {
  readonly loaded: (PipelineOptions & { readonly name: string })[];
  readonly drawn: { readonly prompts: readonly string[]; readonly options: DrawOptions }[];
}

/** An engine whose images are single pixels as bright as their seed. */
function engine(asked: Asked): Pipeline {
  return (_, name, loading = {}) => {
    asked.loaded.push({ ...loading, name });
    const draw = (prompts: string | readonly string[], options: DrawOptions = {}): Promise<DrawResult> => {
      const list = [prompts].flat();
      asked.drawn.push({ prompts: list, options });
      const images = (options.seed as number[]).map((seed) => ({ width: 1, height: 1, data: pixel(seed) }));
      const report = { images: list.length, seconds: 2 * list.length, cache: { peakBytes: 10 * list.length } };
      return Promise.resolve({ images, report } as unknown as DrawResult);
    };
    return Promise.resolve(Object.assign(draw, { dispose: () => Promise.resolve() }) satisfies Draw);
  };
}

function pixel(level: number): Uint8Array {
  return Uint8Array.of(level, level, level);
}

async function runOf(list: readonly Task[], change: Partial<RunSettings> = {}, wish = TINY): Promise<Run> {
  const { settings: resolved, calibration } = await resolveWish(wish);
  const settings = { ...resolved, ...change };
  const tasks = { count: list.length, sha256: "0".repeat(64) };
  const manifest = { version: 1, settings, settingsSha256: settingsHash(settings), tasks, files: {} } as const;
  return { manifest: { ...manifest, model: wish.model }, tasks: list, calibration };
}

async function levels(bytes: Uint8Array): Promise<number[]> {
  return [...(await sharp(bytes).extractChannel(0).raw().toBuffer())];
}

describe("a wish", () => {
  it("becomes settings without any default left open", async () => {
    const { settings, calibration } = await resolveWish(TINY);
    expect(calibration).toBeUndefined();
    expect(settings).toMatchObject({ size: { pixels: "0.06M", ratio: 1 }, guidance: 4, temperature: 1, topK: 900 });
    expect(settings).toMatchObject({ weights: "fp32", cache: { policy: "full", storage: "fp32" }, device: "cpu" });
  });

  it("is the same wish however it is said", async () => {
    const scalekv = (budget: string | number): RunWish => ({
      ...TINY,
      options: { cache: { policy: "scalekv", budget } },
      drawing: { size: { width: 250, height: 260 }, guidance: [4, 4, 4, 4, 4, 4, 4], guidanceLayers: [0, 0] },
    });
    const { settings } = await resolveWish(scalekv("20%"));
    expect(settings.cache).toMatchObject({ tokens: 54, scoring: "paper" });
    expect((await resolveWish(scalekv(54))).settings).toEqual(settings);
    expect(settings).toMatchObject({ guidance: 4, guidanceLayers: [0] });
  });

  it("for a budget in memory means that of one image, so that no batch changes it", async () => {
    const budgeted = (drawing: RunWish["drawing"]): RunWish => ({
      ...TINY,
      options: { cache: { policy: "snapkv", budget: "400KiB" } },
      drawing,
    });
    // The full cache of one image with guidance is 2,170,880 bytes for 265 tokens a layer: 8,192 a token.
    expect((await resolveWish(budgeted({}))).settings.cache.tokens).toBe(50);
    expect((await resolveWish(budgeted({ guidance: 1 }))).settings.cache.tokens).toBe(100);
  });

  it("is refused where it cannot be drawn", async () => {
    const wrong: RunWish[] = [
      { ...TINY, options: { cache: { policy: "scalekv" } } },
      { ...TINY, options: { cache: { policy: "scalekv", budget: "much" } } },
      { ...TINY, drawing: { guidance: [1, 2] } },
    ];
    for (const wish of wrong) await expect(resolveWish(wish)).rejects.toThrow(OptionError);
  });
});

describe("an artist", () => {
  it("draws in batches, each image by its own prompt and seed, whatever the order", async () => {
    const asked: Asked = { loaded: [], drawn: [] };
    const artist = await Artist.open(
      await runOf(tasks(5)),
      { batch: 2, threads: 1, weightsCache: false },
      engine(asked),
    );
    const pictures = await artist.draw([4, 0, 3]);
    expect(asked.loaded).toMatchObject([
      { name: "tiny", threads: 1, weightsCache: false, device: "cpu", cache: { policy: "full" } },
    ]);
    expect(asked.drawn.map(({ prompts, options }) => [prompts, options.seed])).toEqual([
      [
        ["prompt 4", "prompt 0"],
        [4, 0],
      ],
      [["prompt 3"], [3]],
    ]);
    expect(asked.drawn[0]!.options).toMatchObject({ pixels: "0.06M", guidance: 4, topK: 900 });
    expect(pictures).toMatchObject([
      { index: 4, file: "4.png", seconds: 2, cacheBytes: 10, peakBytes: 0 },
      { index: 0, file: "0.png" },
      { index: 3, file: "3.png" },
    ]);
    expect(await Promise.all(pictures.map(({ bytes }) => levels(bytes)))).toEqual([[4], [0], [3]]);
    const [alone] = await artist.draw([3]);
    expect(alone).toEqual(pictures[2]);
  });

  it("draws several seeds as one grid, even where they do not fit into a batch", async () => {
    const asked: Asked = { loaded: [], drawn: [] };
    const grid = { ...task(0), seeds: [10, 20, 30, 40] };
    const artist = await Artist.open(await runOf([grid, task(1)]), { batch: 3 }, engine(asked));
    const [first, second] = await artist.draw([0, 1]);
    expect(asked.drawn.map(({ options }) => options.seed)).toEqual([
      [10, 20, 30],
      [40, 1],
    ]);
    expect([await levels(first!.bytes), await levels(second!.bytes)]).toEqual([[10, 20, 30, 40], [1]]);
    expect(first).toMatchObject({ seconds: 8, cacheBytes: 10 });
  });

  it("takes as many images at once as the memory allows", async () => {
    const load = engine({ loaded: [], drawn: [] });
    const run = await runOf(tasks(2));
    expect((await Artist.open(run, { memory: 1 }, load)).batch).toBe(1);
    expect((await Artist.open(run, { memory: 2 ** 40 }, load)).batch).toBe(16);
    expect((await Artist.open(run, {}, load)).batch).toBeGreaterThan(1);
    // What a GPU has nobody knows unless told.
    const onGpu = await runOf(tasks(2), { device: "cuda" });
    expect((await Artist.open(onGpu, {}, load)).batch).toBe(1);
    expect((await Artist.open(onGpu, { memory: 2 ** 40 }, load)).batch).toBe(16);
  });

  it.each([
    // What stands alone rounds otherwise than beside others: the first scale's only token, without guidance, in blocks.
    { weights: "q8", guidance: 1, batch: 1 },
    { weights: "q4", guidance: 1, batch: 1 },
    { weights: "q8", guidance: 3, batch: 5 },
    { weights: "fp32", guidance: 1, batch: 5 },
  ] as const)("draws $batch at once in $weights with guidance $guidance", async ({ weights, guidance, batch }) => {
    const run = await runOf(tasks(2), { weights, guidance });
    expect((await Artist.open(run, { batch: 5 }, engine({ loaded: [], drawn: [] }))).batch).toBe(batch);
  });

  it("gives the engine the policy and its budget in tokens", async () => {
    const asked: Asked = { loaded: [], drawn: [] };
    const options = { cache: { policy: "scalekv", budget: "20%", storage: "int8" } } as const;
    await Artist.open(await runOf(tasks(1), {}, { ...TINY, options }), {}, engine(asked));
    const cache = { policy: "scalekv", budget: "54", scoring: "paper", storage: "int8" };
    expect(asked.loaded[0]!.cache).toEqual({ ...cache, calibration: null });
  });

  it("refuses another model and another release than the run's", async () => {
    const load = engine({ loaded: [], drawn: [] });
    const run = await runOf(tasks(1));
    await expect(Artist.open(run, { model: { name: "stickers" } }, load)).rejects.toThrow(ModelError);
    await expect(Artist.open(run, { model: { name: "stickers" } }, load)).rejects.toThrow(
      /^stickers: another model than the run's: fingerprint \w{64}, the manifest says \w{64}$/,
    );
    const older = await runOf(tasks(1), { release: "0.0.1" });
    await expect(Artist.open(older, {}, load)).rejects.toThrow(SamplingError);
  });

  it("has no picture of a number that is not in the run", async () => {
    const artist = await Artist.open(await runOf(tasks(1)), {}, engine({ loaded: [], drawn: [] }));
    await expect(artist.draw([1])).rejects.toThrow("task 1 of 1");
  });
});
