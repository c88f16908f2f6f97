/**
 * Two folders compared, pair by pair: what the ScaleKV paper reports of compressed runs beside full ones. Pictures pass
 * one pair at a time, so memory does not grow with their number: FID keeps means and covariances (32 MiB for both sides),
 * KID at most 8192 features a side (64 MiB).
 */
import { OptionError, ScaleKVError } from "../errors.js";
import { FEATURES } from "../models/inception/layout.js";
import type { SessionOptions } from "../runtime/session.js";
import { frechetDistance } from "./frechet.js";
import { InceptionFeatures } from "./inception.js";
import { kernelDistance } from "./kernel.js";
import { Lpips, type LpipsFiles } from "./lpips.js";
import { RunningMoments } from "./moments.js";
import { requireEqualSizes, type PicturePair } from "./pairs.js";
import { psnr } from "./psnr.js";
import { Reservoir } from "./reservoir.js";
import { ssim } from "./ssim.js";

/** What can be measured: the first three of every pair, the other two of the folders as wholes. */
export const METRICS = ["psnr", "ssim", "lpips", "fid", "kid"] as const;

/** One of {@link METRICS}. */
export type Metric = (typeof METRICS)[number];

/** Metrics with a value for every pair. */
export const PAIR_METRICS = ["psnr", "ssim", "lpips"] as const satisfies readonly Metric[];

/** One of {@link PAIR_METRICS}. */
export type PairMetric = (typeof PAIR_METRICS)[number];

/** What was measured of one pair. PSNR is in dB, and `Infinity` for equal pictures. */
export type PairScore = { readonly name: string } & Partial<Readonly<Record<PairMetric, number>>>;

/** What was measured of two folders; of pairs the means. */
export interface Scores extends Partial<Readonly<Record<Metric, number>>> {
  /** Pairs. */
  readonly count: number;
  /** Pairs without any difference. They are not in the mean of PSNR, which they would make infinite; it is if all are. */
  readonly equal?: number;
}

/** What to measure, and with what. */
export interface ScoreOptions extends SessionOptions {
  readonly metrics: readonly Metric[];
  /** Files of LPIPS's networks; needed for `lpips`. */
  readonly lpips?: LpipsFiles | undefined;
  /** The Inception network's file; needed for `fid` and `kid`. */
  readonly inception?: string | undefined;
}

/** Features that KID keeps of either side; from then on a fair sample of them. */
const KEPT_FEATURES = 8192;

/** The networks and sums behind a comparison. Whoever makes one calls `dispose`. */
export class Scorer {
  private readonly measured = { psnr: 0, ssim: 0, lpips: 0 };
  private count = 0;
  private equal = 0;

  private constructor(
    private readonly metrics: ReadonlySet<Metric>,
    private readonly lpips: Lpips | undefined,
    private readonly folders: FolderMeter | undefined,
  ) {}

  /**
   * Loads what the metrics need and nothing else. Errors: `OptionError` for a network without a file, `CheckpointError`
   * and `ModelError` for one that is not what it should be.
   */
  static async load(options: ScoreOptions): Promise<Scorer> {
    const metrics = new Set(options.metrics);
    const lpips = metrics.has("lpips") ? await Lpips.load(required("lpips", options.lpips), options) : undefined;
    try {
      const folders = needsInception(metrics) ? await FolderMeter.load(metrics, options) : undefined;
      return new Scorer(metrics, lpips, folders);
    } catch (error) {
      await lpips?.dispose();
      throw error;
    }
  }

  /** Measures a pair and takes it into account. Errors: `OptionError` for pictures of different sizes or too small ones. */
  async add(pair: PicturePair): Promise<PairScore> {
    if (PAIR_METRICS.some((metric) => this.metrics.has(metric))) requireEqualSizes(pair);
    try {
      const score = { name: pair.name, ...(await this.measure(pair)) };
      await this.folders?.add(pair);
      this.count++;
      return score;
    } catch (error) {
      if (error instanceof ScaleKVError) throw new OptionError(`${pair.a}: ${error.message}`, { cause: error });
      throw error;
    }
  }

  /** Everything that was asked for. Errors: `OptionError` for fewer pairs than the metrics need. */
  async scores(): Promise<Scores> {
    const { metrics, measured, count, equal } = this;
    if (count === 0) throw new OptionError("0 pairs: at least 1 is needed");
    const means: Partial<Record<Metric, number>> = {};
    if (metrics.has("psnr")) means.psnr = equal === count ? Infinity : measured.psnr / (count - equal);
    if (metrics.has("ssim")) means.ssim = measured.ssim / count;
    if (metrics.has("lpips")) means.lpips = measured.lpips / count;
    const distances = await this.folders?.distances();
    return { ...means, ...distances, count, ...(metrics.has("psnr") ? { equal } : {}) };
  }

  /** Frees the networks. */
  async dispose(): Promise<void> {
    await this.lpips?.dispose();
    await this.folders?.dispose();
  }

  private async measure({ pictures: { a, b } }: PicturePair): Promise<Partial<Record<PairMetric, number>>> {
    const score: Partial<Record<PairMetric, number>> = {};
    if (this.metrics.has("psnr")) score.psnr = psnr(a, b);
    if (this.metrics.has("ssim")) score.ssim = ssim(a, b);
    if (this.lpips) score.lpips = await this.lpips.distance(a, b);
    if (score.psnr === Infinity) this.equal++;
    else this.measured.psnr += score.psnr ?? 0;
    this.measured.ssim += score.ssim ?? 0;
    this.measured.lpips += score.lpips ?? 0;
    return score;
  }
}

function needsInception(metrics: ReadonlySet<Metric>): boolean {
  return metrics.has("fid") || metrics.has("kid");
}

function required<T>(metric: string, file: T | undefined): T {
  if (file === undefined) throw new OptionError(`${metric}: no file of its network was given`);
  return file;
}

/** Inception's features of both sides, and what is kept of them. */
class FolderMeter {
  private readonly moments = [new RunningMoments(FEATURES), new RunningMoments(FEATURES)] as const;
  private readonly kept = [new Reservoir(FEATURES, KEPT_FEATURES), new Reservoir(FEATURES, KEPT_FEATURES)] as const;
  private count = 0;

  private constructor(
    private readonly metrics: ReadonlySet<Metric>,
    private readonly network: InceptionFeatures,
  ) {}

  static async load(metrics: ReadonlySet<Metric>, options: ScoreOptions): Promise<FolderMeter> {
    const network = await InceptionFeatures.load(required("fid and kid", options.inception), options);
    return new FolderMeter(metrics, network);
  }

  async add({ pictures }: PicturePair): Promise<void> {
    const features = await this.network.of([pictures.a, pictures.b]);
    for (const [side, vector] of features.entries()) {
      if (this.metrics.has("fid")) this.moments[side]!.add(vector);
      if (this.metrics.has("kid")) this.kept[side]!.add(vector);
    }
    this.count++;
  }

  async distances(): Promise<{ fid?: number; kid?: number }> {
    if (this.count < 2) throw new OptionError(`fid and kid of ${this.count} pair: at least 2 are needed`);
    const [a, b] = this.moments;
    return {
      ...(this.metrics.has("fid") ? { fid: await frechetDistance(a.moments(), b.moments()) } : {}),
      ...(this.metrics.has("kid") ? { kid: await kernelDistance(...this.kept) } : {}),
    };
  }

  dispose(): Promise<void> {
    return this.network.dispose();
  }
}
