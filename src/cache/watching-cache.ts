/**
 * A full cache that measures how layers read it. At every scale but the first, which has no history, a sample of the
 * map's tokens observes: their real queries are set against all keys of the layer.
 *
 * What is averaged, where the paper (arXiv 2505.19602, Eq. 2) leaves it open: all rows count, the unconditional ones
 * too, since a budget holds for every row alike; all heads count the same.
 */
import { emptyStatistics, type AttentionStatistics, type StatisticsSums } from "../budget/calibration.js";
import type { Tensors } from "../runtime/session.js";
import { float32, int64, values, type Tensor } from "../runtime/tensor.js";
import type { Committer } from "./committer.js";
import type { CachePeak, KeptPositions, KvCache } from "./kv-cache.js";
import type { CacheRun, MapSize } from "./policy.js";
import { centreTokens } from "./window.js";

/** Tokens of a map that observe: the centres of 8 × 8 patches. Of a map too small or narrow for them all tokens do. */
export const OBSERVERS = 64;

/** K′, the largest weights on the history that are summed: as many as the window of ScaleKV's selection keeps. */
export const TOP_HISTORY = 16;

/** What a watched run is like. */
export interface WatchedRun extends CacheRun {
  readonly rows: number;
}

/** A cache that measures; see the file's head. `inner` is full, on the host, in float32, and is disposed of with it. */
export class WatchingCache implements KvCache {
  private readonly sums: StatisticsSums;

  constructor(
    private readonly inner: KvCache,
    private readonly committer: Committer,
    private readonly run: WatchedRun,
  ) {
    this.sums = emptyStatistics({ depth: run.layers, heads: run.heads }, run.maps.length);
    // The first scale has nothing to look at but itself.
    for (const row of this.sums.current) row[0] = 1;
  }

  /** All of them: the last is not kept, but how it looks back is what most of the cache is for. */
  get scales(): number {
    return this.run.maps.length;
  }

  feeds(layer: number, scale: number): Tensors {
    const observers = sampleTokens(this.run.maps[scale]!);
    return { ...this.inner.feeds(layer, scale), observers: int64(observers, [observers.length]) };
  }

  outputs(layer: number, scale: number): Readonly<Record<string, Tensor | null>> {
    // The last scale's keys are looked at once and go.
    const kept = scale < this.inner.scales ? this.inner.outputs(layer, scale) : { new_k: null };
    return { ...kept, observed_attention: null };
  }

  async commit(layer: number, scale: number, outputs: Tensors): Promise<KeptPositions | undefined> {
    if (scale > 0) await this.measure(layer, scale, outputs);
    return scale < this.inner.scales ? this.inner.commit(layer, scale, outputs) : undefined;
  }

  /** What was seen; whole once the last layer of the last scale is committed. */
  get statistics(): AttentionStatistics {
    return this.sums;
  }

  get bytes(): number {
    return this.inner.bytes;
  }

  get peak(): CachePeak {
    return this.inner.peak;
  }

  dispose(): void {
    this.inner.dispose();
  }

  private async measure(layer: number, scale: number, outputs: Tensors): Promise<void> {
    const { past_k } = this.inner.feeds(layer, scale);
    const lengths = this.run.maps.slice(0, scale + 1).map(({ height, width }) => height * width);
    const { mass, best, variance } = await this.committer.statistics({
      past_k: past_k!,
      new_k: outputs.new_k!,
      observed: outputs.observed_attention!,
      ...sourceFeeds(lengths),
    });
    this.add(layer, scale, values(mass!), values(best!));
    if (scale === this.scales - 1) this.addVariance(layer, values(variance!));
  }

  /** `mass` [rows, heads, scale + 1], `best` [rows, heads]. */
  private add(layer: number, scale: number, mass: Float32Array, best: Float32Array): void {
    const { rows, heads, maps } = this.run;
    const { current, history, segments } = this.sums;
    const lanes = rows * heads;
    for (let lane = 0; lane < lanes; lane++) {
      const on = (source: number): number => mass[lane * (scale + 1) + source]!;
      current[layer]![scale]! += on(scale) / lanes;
      history[layer]![scale]! += best[lane]! / lanes;
      const head = segments[layer]![lane % heads]!;
      for (let source = 0; source < scale; source++) head[source]! += on(source) / rows / (maps.length - 1 - source);
    }
  }

  /** `variance` [rows, heads] of the last scale. */
  private addVariance(layer: number, variance: Float32Array): void {
    const { rows, heads } = this.run;
    for (const [lane, value] of variance.entries()) this.sums.variance[layer]![lane % heads]! += value / rows;
  }
}

/** The tokens of a map that observe. */
export function sampleTokens(map: MapSize): number[] {
  return centreTokens(map, OBSERVERS) ?? [...new Array<number>(map.height * map.width).keys()];
}

/** Which scale each token is of, oldest scale first; the last is the current one. */
function sourceFeeds(lengths: readonly number[]): Record<"sources" | "past" | "top", Tensor> {
  const all = lengths.reduce((sum, length) => sum + length, 0);
  const past = all - lengths.at(-1)!;
  const sources = new Float32Array(all * lengths.length);
  let token = 0;
  for (const [source, length] of lengths.entries()) {
    for (const end = token + length; token < end; token++) sources[token * lengths.length + source] = 1;
  }
  return {
    sources: float32(sources, [all, lengths.length]),
    past: float32(new Float32Array(all).fill(1, 0, past), [all]),
    top: int64([Math.min(TOP_HISTORY, past)], [1]),
  };
}
