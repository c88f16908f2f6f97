/**
 * Eigenvalues, without vectors, of symmetric matrices: Householder's reduction to three diagonals, then the QL method with
 * implicit shifts (Golub and Van Loan, "Matrix computations", sections 8.3.1 and 8.3.3). A matrix of 2048 rows takes
 * seconds: 4/3 · size³ operations, nearly all of them in the reduction.
 */

/**
 * Steps of QL for one eigenvalue: two are usual. Beside eigenvalues 2⁵² times as large a shift is lost in rounding, and
 * small ones that lie close together would take thousands; what such a matrix is known to in any case must do then.
 */
const PATIENT_STEPS = 8;
const MAX_STEPS = 60;

/** Entries below this count as 0: soon their squares would be lost. */
const TINY = 2 ** -500;

/** The diagonal, and the entries beside it: `beside[i]` is between i and i + 1, and the last one is 0. */
interface Tridiagonal {
  readonly diagonal: Float64Array;
  readonly beside: Float64Array;
}

/**
 * All eigenvalues, in no order. The errors are about 2⁻⁵² of the largest; where the matrix is graded, its rows falling
 * from large to small, small eigenvalues mostly come out better than that.
 *
 * @param matrix [size, size], symmetric; only its upper triangle is read, and overwritten
 */
export function symmetricEigenvalues(matrix: Float64Array, size: number): Float64Array {
  return tridiagonalEigenvalues(tridiagonalise(matrix, size));
}

/** The change A − v wᵀ − w vᵀ that a reflection makes of what is left of a matrix. [size], 0 where rows are done. */
interface Change {
  readonly v: Float64Array;
  readonly w: Float64Array;
}

/**
 * From the first row down, so that in a graded matrix the large rows are gone before the small ones are touched. Memory is
 * the limit: each reflection's change is carried out in the same pass in which the next one's product is formed.
 */
function tridiagonalise(matrix: Float64Array, size: number): Tridiagonal {
  const diagonal = new Float64Array(size);
  const beside = new Float64Array(size);
  let done: Change = { v: new Float64Array(size), w: new Float64Array(size) };
  let next: Change = { v: new Float64Array(size), w: new Float64Array(size) };
  for (let k = 0; k < size; k++) {
    const row = matrix.subarray(k * size, (k + 1) * size);
    for (let j = k; j < size; j++) row[j]! -= done.v[k]! * done.w[j]! + done.w[k]! * done.v[j]!;
    diagonal[k] = row[k]!;
    if (k + 1 >= size) break;
    next.v[k] = 0;
    next.v.set(row.subarray(k + 1), k + 1);
    beside[k] = reflection(next.v.subarray(k + 1));
    changeAndMultiply(matrix, size, k + 1, done, next);
    [done, next] = [next, done];
  }
  return { diagonal, beside };
}

/**
 * Turns x into the v of the reflection 1 − v vᵀ, v ᵀ v = 2, that maps x to (r, 0, …, 0), and returns r. A vector of that form
 * already gives v = 0: no reflection.
 */
function reflection(x: Float64Array): number {
  const most = x.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const [first] = x;
  if (most < TINY || !x.some((value, i) => i > 0 && value !== 0)) {
    x.fill(0);
    return first!;
  }
  let squares = 0;
  for (const value of x) squares += value * value;
  const length = Math.sqrt(squares);
  const r = first! > 0 ? -length : length; // of the other sign than x₀, so that nothing cancels
  const factor = 1 / Math.sqrt(length * (length + Math.abs(first!)));
  x[0] = first! - r;
  for (let i = 0; i < x.length; i++) x[i]! *= factor;
  return r;
}

/**
 * Carries a change out on the rows and columns from `start` on, upper triangle only, and prepares that of the next
 * reflection 1 − v vᵀ: with p = A v it is w = p − ½ (vᵀ p) v.
 */
function changeAndMultiply(matrix: Float64Array, size: number, start: number, done: Change, next: Change): void {
  const { v, w } = next;
  const { v: doneV, w: doneW } = done;
  w.fill(0);
  for (let i = start; i < size; i++) {
    const row = i * size;
    const [changeV, changeW, vi] = [doneV[i]!, doneW[i]!, v[i]!];
    let sum = 0;
    matrix[row + i]! -= 2 * changeV * changeW;
    // Every entry beside the diagonal stands for two of the matrix.
    for (let j = i + 1; j < size; j++) {
      const entry = matrix[row + j]! - (changeV * doneW[j]! + changeW * doneV[j]!);
      matrix[row + j] = entry;
      sum += entry * v[j]!;
      w[j]! += entry * vi;
    }
    w[i]! += sum + matrix[row + i]! * vi;
  }
  let product = 0;
  for (let i = start; i < size; i++) product += v[i]! * w[i]!;
  for (let i = start; i < size; i++) w[i]! -= (product / 2) * v[i]!;
}

/** QL finds the small eigenvalues at the top first, so the diagonals are turned around: graded matrices fall. */
function tridiagonalEigenvalues({ diagonal, beside }: Tridiagonal): Float64Array {
  const size = diagonal.length;
  const d = diagonal.slice().reverse();
  const e = new Float64Array(size);
  for (let i = 0; i + 1 < size; i++) e[i] = beside[size - 2 - i]!;
  const largest = d.reduce((most, value, i) => Math.max(most, Math.abs(value), Math.abs(e[i]!)), 0);
  const known = Math.max(TINY, Number.EPSILON * largest);
  for (let first = 0; first < size; first++) {
    for (let step = 0; ; step++) {
      const last = blockEnd(d, e, first, step < PATIENT_STEPS ? TINY : known);
      if (last === first) break;
      if (step === MAX_STEPS) throw new RangeError(`no eigenvalue after ${MAX_STEPS} steps; is the matrix finite?`);
      implicitStep(d, e, first, last);
    }
  }
  return d;
}

/**
 * The end of the block that begins at `first`: from there to the next the entry beside the diagonal is negligible, beside
 * its neighbours on the diagonal or because it is at most `known`.
 */
function blockEnd(d: Float64Array, e: Float64Array, first: number, known: number): number {
  let last = first;
  while (last + 1 < d.length) {
    const neighbours = Math.abs(d[last]!) + Math.abs(d[last + 1]!);
    if (Math.abs(e[last]!) <= Math.max(known, Number.EPSILON * neighbours)) break;
    last++;
  }
  return last;
}

/** One QL step on a block with Wilkinson's shift: rotations from the end upwards chase the bulge out at the top. */
function implicitStep(d: Float64Array, e: Float64Array, first: number, last: number): void {
  const half = (d[first + 1]! - d[first]!) / (2 * e[first]!);
  const root = Math.sqrt(half * half + 1);
  let bulge = d[last]! - d[first]! + e[first]! / (half + (half < 0 ? -root : root));
  let [sine, cosine, shift] = [1, 1, 0];
  for (let i = last - 1; i >= first; i--) {
    const outer = sine * e[i]!;
    const inner = cosine * e[i]!;
    const length = Math.sqrt(outer * outer + bulge * bulge);
    e[i + 1] = length;
    if (length === 0) {
      // The block has come apart here; the next step begins with the smaller one.
      d[i + 1]! -= shift;
      e[last] = 0;
      return;
    }
    sine = outer / length;
    cosine = bulge / length;
    const above = d[i + 1]! - shift;
    const turned = (d[i]! - above) * sine + 2 * cosine * inner;
    shift = sine * turned;
    d[i + 1] = above + shift;
    bulge = cosine * turned - inner;
  }
  d[first]! -= shift;
  e[first] = bulge;
  e[last] = 0;
}
