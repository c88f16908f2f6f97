/**
 * The kernel distance of two sets of vectors, which between Inception's features is KID (Bińkowski, Sutherland, Arbel and
 * Gretton, "Demystifying MMD GANs", 2018): the unbiased estimate of the squared maximum mean discrepancy
 *
 *     mean over i ≠ j of k(aᵢ, aⱼ)  +  mean over i ≠ j of k(bᵢ, bⱼ)  −  2 · mean over i, j of k(aᵢ, bⱼ)
 *
 * under k(x, y) = (x · y / size + 1)³, averaged over subsets. Unlike FID it does not depend on how many vectors there are;
 * about 0 it may be negative.
 */
import { sample } from "./chance.js";
import { Products } from "./products.js";
import type { Reservoir } from "./reservoir.js";

/** How many subsets are drawn of either side, and of how many vectors. */
export interface Subsets {
  readonly number: number;
  readonly rows: number;
}

/** As in clean-fid. */
const PUBLISHED: Subsets = { number: 100, rows: 1000 };

/**
 * clean-fid's `kernel_distance`, but that its subsets are chosen by their numbers alone and so are always the same ones.
 * Sets of at most a subset's size are one subset each, as all choices of everything are equal. Fewer than 2 vectors in a
 * set are a `RangeError`.
 */
export async function kernelDistance(a: Reservoir, b: Reservoir, subsets: Subsets = PUBLISHED): Promise<number> {
  const count = Math.min(a.count, b.count, subsets.rows);
  if (count < 2) throw new RangeError(`a kernel distance of ${a.count} and ${b.count} vectors: at least 2 are needed`);
  const whole = a.count === count && b.count === count;
  const rounds = whole ? 1 : subsets.number;
  const products = await Products.load("float32");
  try {
    let sum = 0;
    for (let i = 0; i < rounds; i++) {
      // Streams of their own, so that a subset of a is no mirror of b's.
      const [x, y] = whole ? [a.rows, b.rows] : [subset(a, count, 2 * i + 2), subset(b, count, 2 * i + 3)];
      sum += await discrepancy(products, x, y, a.size);
    }
    return sum / rounds;
  } finally {
    await products.dispose();
  }
}

/** `count` of the kept vectors, [count, size]. */
function subset({ rows, size, count: kept }: Reservoir, count: number, stream: number): Float32Array {
  const picked = new Float32Array(count * size);
  for (const [i, row] of sample(stream, count, kept).entries()) {
    picked.set(rows.subarray(row * size, (row + 1) * size), i * size);
  }
  return picked;
}

/** The estimate for x and y, [count, size] each. */
async function discrepancy(
  products: Products<"float32">,
  x: Float32Array,
  y: Float32Array,
  size: number,
): Promise<number> {
  const count = x.length / size;
  const product = new Float32Array(count * count);
  const kernels = async (left: Float32Array, right: Float32Array): Promise<{ all: number; diagonal: number }> => {
    await products.multiply(left, right, size, product);
    return kernelSums(product, count, size);
  };
  const [xx, yy, xy] = [await kernels(x, x), await kernels(y, y), await kernels(x, y)];
  const within = (xx.all - xx.diagonal + yy.all - yy.diagonal) / (count * (count - 1));
  return within - (2 * xy.all) / count ** 2;
}

/** Sums of k over all pairs and over those of equal number, in double precision. */
function kernelSums(product: Float32Array, count: number, size: number): { all: number; diagonal: number } {
  let [all, diagonal] = [0, 0];
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) {
      const base = product[i * count + j]! / size + 1;
      const kernel = base * base * base; // many times as fast as a power
      all += kernel;
      if (i === j) diagonal += kernel;
    }
  }
  return { all, diagonal };
}
