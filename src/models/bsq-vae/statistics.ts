/**
 * Group normalisation of a map that is never in one piece. The graphs give the mean and the squared deviation of every
 * row; here they are joined in double precision, channel by channel from the top, so that the result is nearer to the
 * truth than a float32 sum over a group of 4 million values, and the same to the last bit wherever the map was cut.
 */
import { ModelError } from "../../errors.js";

/** Added to the variance in every group norm. */
const EPSILON = 1e-6;

/** Learned values of a group norm, one of each a channel. */
export interface NormWeights {
  readonly scale: Float32Array;
  readonly bias: Float32Array;
}

/** A norm whose statistics are known: x · factor + shift, one of each a channel. */
export interface Affine {
  readonly factor: Float32Array;
  readonly shift: Float32Array;
}

/** How many values, their mean, and their summed squared deviation from it. */
interface Moments {
  count: number;
  mean: number;
  deviation: number;
}

/** The statistics of one map, gathered strip by strip from the top. */
export class GroupStatistics {
  private readonly channels: readonly Moments[];
  private readonly channelsOfGroup: number;

  /** Channels that no number of groups fits are a {@link ModelError}. */
  constructor(channels: number) {
    this.channels = Array.from({ length: channels }, nothing);
    this.channelsOfGroup = channels / groupsOf(channels);
  }

  /** Adds rows of `width` values: their means and their summed squared deviations from those, [channels, rows] each. */
  add(means: Float32Array, deviations: Float32Array, width: number): void {
    const rows = means.length / this.channels.length;
    for (const [channel, moments] of this.channels.entries()) {
      for (let i = channel * rows; i < (channel + 1) * rows; i++) {
        join(moments, { count: width, mean: means[i]!, deviation: deviations[i]! });
      }
    }
  }

  /** The norm as a factor and a shift for every channel. */
  affine({ scale, bias }: NormWeights): Affine {
    const factor = new Float32Array(this.channels.length);
    const shift = new Float32Array(this.channels.length);
    for (let first = 0; first < this.channels.length; first += this.channelsOfGroup) {
      const end = first + this.channelsOfGroup;
      const group = nothing();
      for (const channel of this.channels.slice(first, end)) join(group, channel);
      const deviation = Math.sqrt(group.deviation / group.count + EPSILON);
      for (let channel = first; channel < end; channel++) {
        const exact = scale[channel]! / deviation;
        factor[channel] = exact;
        shift[channel] = bias[channel]! - group.mean * exact;
      }
    }
    return { factor, shift };
  }
}

/** The moments of no values. */
function nothing(): Moments {
  return { count: 0, mean: 0, deviation: 0 };
}

/** Adds more values to `moments` (Chan, Golub and LeVeque 1979: two means and the squares around each make one). */
function join(moments: Moments, { count, mean, deviation }: Readonly<Moments>): void {
  const total = moments.count + count;
  const apart = mean - moments.mean;
  moments.deviation += deviation + (apart * apart * moments.count * count) / total;
  moments.mean += (apart * count) / total;
  moments.count = total;
}

/** 32 groups, or 24 where 32 does not divide the channels; other widths are not published. */
function groupsOf(channels: number): number {
  const groups = [32, 24].find((count) => channels % count === 0);
  if (groups === undefined) throw new ModelError(`VAE: ${channels} channels divide into neither 32 nor 24 groups`);
  return groups;
}
