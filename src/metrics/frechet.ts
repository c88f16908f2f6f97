/**
 * The Fréchet distance of two normal distributions (Dowson and Landau, 1982), which between Inception's features is FID
 * (Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017):
 *
 *     |μa − μb|² + trace(Σa) + trace(Σb) − 2 · trace((Σa Σb)^½)
 *
 * Published programs take the root of Σa Σb, which is not symmetric and mostly near singular, and drop what comes out
 * imaginary. Only its trace is needed: with Σa = Lᵀ L it is the sum of the roots of the eigenvalues of L Σb Lᵀ, which is
 * symmetric and has none below 0 but for rounding. L comes from a Cholesky decomposition with pivoting, so it is as short
 * as Σa's rank, and its rows fall, which keeps small eigenvalues accurate.
 */
import { pivotedCholesky } from "./cholesky.js";
import { symmetricEigenvalues } from "./eigenvalues.js";
import type { Moments } from "./moments.js";
import { Products } from "./products.js";

/** The distance, at least 0 but for rounding. Distributions of different sizes are a `RangeError`. */
export async function frechetDistance(a: Moments, b: Moments): Promise<number> {
  const size = a.mean.length;
  if (b.mean.length !== size) throw new RangeError(`distributions of ${size} and ${b.mean.length} dimensions`);
  let means = 0;
  for (let i = 0; i < size; i++) means += (a.mean[i]! - b.mean[i]!) ** 2;
  // The shorter root costs less, and is as good.
  const [first, second] = a.count <= b.count ? [a, b] : [b, a];
  const root = await traceOfRoot(first.covariance, second.covariance, size);
  return means + trace(a.covariance, size) + trace(b.covariance, size) - 2 * root;
}

/** trace((A B)^½) of two covariances [size, size]. */
async function traceOfRoot(a: Float64Array, b: Float64Array, size: number): Promise<number> {
  const { rank, rows } = pivotedCholesky(a, size);
  if (rank === 0) return 0;
  const half = new Float64Array(rank * size); // L B
  const inner = new Float64Array(rank * rank); // L B Lᵀ
  const products = await Products.load("float64");
  try {
    await products.multiply(rows, b, size, half); // B is its own transpose
    await products.multiply(half, rows, size, inner);
  } finally {
    await products.dispose();
  }
  return symmetricEigenvalues(inner, rank).reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
}

function trace(matrix: Float64Array, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += matrix[i * size + i]!;
  return sum;
}
