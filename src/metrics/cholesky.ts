/** A triangular root of a symmetric matrix. */

/** Rows [rank, size] whose products with themselves add up to the matrix: A = Σ row ᵀ row. */
export interface Root {
  readonly rank: number;
  readonly rows: Float64Array;
}

/**
 * The Cholesky decomposition with diagonal pivoting (Higham, "Analysis of the Cholesky decomposition of a semi-definite
 * matrix", 1990), which serves singular matrices too: every row takes the largest variance that is left and the
 * decomposition ends where only rounding errors are, at `size` · 2⁻⁵² of the largest. A covariance of n vectors has rank
 * n − 1 at most, so few vectors cost little. About rank² · size / 2 multiplications.
 *
 * @param matrix [size, size], symmetric, no eigenvalue below 0 but for rounding; not changed
 */
export function pivotedCholesky(matrix: Float64Array, size: number): Root {
  const left = Float64Array.from({ length: size }, (_, i) => matrix[i * size + i]!); // variances not yet explained
  const floor = size * Number.EPSILON * left.reduce((most, value) => Math.max(most, value), 0);
  const columns = new Float64Array(size * size); // [size, rank so far]: sums run along neighbouring places
  let rank = 0;
  for (; rank < size; rank++) {
    const pivot = largest(left);
    if (!(left[pivot]! > floor)) break;
    fillColumn(matrix, columns, left, pivot, rank);
  }
  return { rank, rows: transposed(columns, size, rank) };
}

function largest(values: Float64Array): number {
  let place = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[place]!) place = i;
  return place;
}

/** Column `rank` of the root, and what it leaves of every variance. */
function fillColumn(
  matrix: Float64Array,
  columns: Float64Array,
  left: Float64Array,
  pivot: number,
  rank: number,
): void {
  const size = left.length;
  const length = Math.sqrt(left[pivot]!);
  for (let i = 0; i < size; i++) {
    // What was a pivot already is explained: its part in later columns is 0.
    if (left[i] === 0) continue;
    const product = matrix[pivot * size + i]! - dot(columns, i * size, pivot * size, rank);
    const value = i === pivot ? length : product / length;
    columns[i * size + rank] = value;
    left[i] = i === pivot ? 0 : Math.max(0, left[i]! - value * value);
  }
}

/** Four sums at a time, since each addition would otherwise wait for the one before. */
function dot(values: Float64Array, a: number, b: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < length; i += 4) {
    s0 += values[a + i]! * values[b + i]!;
    s1 += values[a + i + 1]! * values[b + i + 1]!;
    s2 += values[a + i + 2]! * values[b + i + 2]!;
    s3 += values[a + i + 3]! * values[b + i + 3]!;
  }
  for (; i < length; i++) s0 += values[a + i]! * values[b + i]!;
  return s0 + s1 + (s2 + s3);
}

/** The first `rank` of each row's places, [size, size] to [rank, size]. */
function transposed(columns: Float64Array, size: number, rank: number): Float64Array {
  const rows = new Float64Array(rank * size);
  for (let i = 0; i < size; i++) for (let k = 0; k < rank; k++) rows[k * size + i] = columns[i * size + k]!;
  return rows;
}
