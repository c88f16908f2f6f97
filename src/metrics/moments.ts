/** Mean and covariance of vectors that pass by one at a time; memory does not grow with their number. */

/** A normal distribution as estimated from vectors. */
export interface Moments {
  readonly count: number;
  /** [size]. */
  readonly mean: Float64Array;
  /** [size, size], symmetric, divided by count − 1. */
  readonly covariance: Float64Array;
}

/**
 * Welford's recurrence, "Note on a method for calculating corrected sums of squares and products" (1962), in double
 * precision: unlike sums of squares it loses nothing where the mean is large beside the spread.
 */
export class RunningMoments {
  private seen = 0;
  private readonly mean: Float64Array;
  private readonly deviation: Float64Array;
  /** Sums of products of deviations from the mean: row after row from the diagonal on, which holds all of them once. */
  private readonly products: Float64Array;

  /** `size` is the length of the vectors; all memory is taken now: 4 · size² bytes, 16 MiB for Inception's 2048. */
  constructor(private readonly size: number) {
    this.mean = new Float64Array(size);
    this.deviation = new Float64Array(size);
    this.products = new Float64Array((size * (size + 1)) / 2);
  }

  /** Vectors so far. */
  get count(): number {
    return this.seen;
  }

  /** Takes one vector into account. */
  add(vector: Float32Array | Float64Array): void {
    const { size, mean, deviation, products } = this;
    if (vector.length !== size) throw new RangeError(`a vector of ${vector.length}, expected ${size}`);
    const before = this.seen++;
    for (let i = 0; i < size; i++) {
      deviation[i] = vector[i]! - mean[i]!;
      mean[i]! += deviation[i]! / this.seen;
    }
    const part = before / this.seen;
    for (let i = 0, at = 0; i < size; i++) {
      const scaled = part * deviation[i]!;
      for (let j = i; j < size; j++) products[at++]! += scaled * deviation[j]!;
    }
  }

  /** The estimate so far; of fewer than two vectors there is none, which is a `RangeError`. */
  moments(): Moments {
    const { size, seen, products } = this;
    if (seen < 2) throw new RangeError(`a covariance of ${seen} vectors: at least 2 are needed`);
    const covariance = new Float64Array(size * size);
    for (let i = 0, at = 0; i < size; i++) {
      for (let j = i; j < size; j++) {
        const value = products[at++]! / (seen - 1);
        covariance[i * size + j] = value;
        covariance[j * size + i] = value;
      }
    }
    return { count: seen, mean: this.mean.slice(), covariance };
  }
}
