/**
 * All metrics beside the published programs (torchmetrics, pytorch-fid, clean-fid), on the same pictures and with the same
 * random weights in networks of real size. `test/reference/networks.py` recorded the values.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { frechetDistance } from "../../src/metrics/frechet.js";
import { InceptionFeatures } from "../../src/metrics/inception.js";
import { kernelDistance } from "../../src/metrics/kernel.js";
import { RunningMoments, type Moments } from "../../src/metrics/moments.js";
import { Reservoir } from "../../src/metrics/reservoir.js";
import { METRICS, Scorer, type PairScore, type Scores } from "../../src/metrics/score.js";
import { uniforms } from "../support/random-weights.js";
import { numberedPair, readScoreGolden, writeRandomInception, writeRandomLpips } from "../support/score-golden.js";

/** Loading and running the networks takes 8 s of one core. */
const HOOK_TIMEOUT = 60_000;

const { featureStep, pairs, folders, sets } = await readScoreGolden();
const pictures = pairs.map(({ width, height }, i) => numberedPair(i, width, height, pairs.length));

describe("networks of real size", () => {
  const scores: PairScore[] = [];
  const features: Float32Array[] = [];
  let total: Scores;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "scalekv-"));
    const options = {
      device: "cpu",
      metrics: METRICS,
      lpips: writeRandomLpips(folder),
      inception: writeRandomInception(folder),
    } as const;
    const scorer = await Scorer.load(options);
    for (const [i, [a, b]] of pictures.entries()) {
      scores.push(await scorer.add({ name: String(i), a: "a", b: "b", pictures: { a, b } }));
    }
    total = await scorer.scores();
    await scorer.dispose();
    const network = await InceptionFeatures.load(options.inception, options);
    features.push(...(await network.of(pictures.map(([a]) => a))));
    await network.dispose();
  }, HOOK_TIMEOUT);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(pairs.map((pair, i) => ({ ...pair, i })))("$width x $height: every pair", (expected) => {
    const { i, psnr, ssim, lpips } = expected;
    const found = scores[i]!;
    // Double precision on both sides; torchmetrics divides by a float32 logarithm of 10: 1e-6 at 23 dB.
    if (psnr === null) expect(found.psnr).toBe(Infinity);
    else expect(Math.abs(found.psnr! - psnr)).toBeLessThan(1e-5);
    expect(Math.abs(found.ssim! - ssim)).toBeLessThan(1e-9);
    // Five layers of float32 sums of up to 3456 products, of which the distance is a mean: 1e-6 of it.
    expect(Math.abs(found.lpips! - lpips)).toBeLessThan(1e-5);
  });

  it.each(pairs.map((pair, i) => ({ ...pair, i })))("$width x $height: Inception's features", (expected) => {
    const found = features[expected.i]!;
    // 94 layers of float32 sums, batch norms folded into the weights: 6e-5 of a value here. Some are 0.
    expected.features.forEach((value, k) =>
      expect(Math.abs(found[k * featureStep]! - value)).toBeLessThan(5e-4 * value + 1e-6),
    );
  });

  it("the folders' distances and means", () => {
    expect(Math.abs(total.fid! / folders.fid - 1)).toBeLessThan(1e-4);
    expect(Math.abs(total.kid! / folders.kid - 1)).toBeLessThan(1e-4);
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(total).toMatchObject({ count: 6, equal: 1 });
    expect(total.psnr).toBeCloseTo(mean(pairs.flatMap(({ psnr }) => psnr ?? [])), 4);
    expect(total.ssim).toBeCloseTo(mean(pairs.map(({ ssim }) => ssim)), 8);
    expect(total.lpips).toBeCloseTo(mean(pairs.map(({ lpips }) => lpips)), 5);
  });
});

describe.each(sets)("$name: $rows x $columns", ({ name, rows, columns, frechet, kernel }) => {
  /** Vectors with falling spread and a mean of their own, as the script makes them. */
  function vectors(side: "a" | "b"): Float32Array[] {
    const u = uniforms(`${name} ${side}`, rows * columns);
    const mean = uniforms(`${name} ${side} mean`, columns);
    return Array.from({ length: rows }, (_, row) =>
      Float32Array.from(mean, (middle, i) => u[row * columns + i]! * 0.97 ** i + 0.1 * middle),
    );
  }

  it("has clean-fid's Fréchet distance", async () => {
    const moments = (side: "a" | "b"): Moments => {
      const running = new RunningMoments(columns);
      for (const vector of vectors(side)) running.add(vector);
      return running.moments();
    };
    // SciPy's root of a singular matrix is the less exact of the two, about 1e-8 here.
    expect(Math.abs((await frechetDistance(moments("a"), moments("b"))) / frechet - 1)).toBeLessThan(1e-6);
  });

  it("has clean-fid's kernel distance", async () => {
    const [a, b] = (["a", "b"] as const).map((side) => {
      const reservoir = new Reservoir(columns, rows);
      for (const vector of vectors(side)) reservoir.add(vector);
      return reservoir;
    });
    // A difference of means about 1, of products in float32 where SciPy's are in float64.
    expect(Math.abs((await kernelDistance(a!, b!)) - kernel)).toBeLessThan(1e-6);
  });
});
