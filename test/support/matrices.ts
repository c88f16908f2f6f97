/** Symmetric matrices of known eigenvalues. */

/** H D H of a diagonal D and the reflection H = 1 − v vᵀ for a v that points everywhere, [size, size]. */
export function withEigenvalues(values: readonly number[], phase = 0.2): Float64Array {
  const size = values.length;
  const raw = values.map((_, i) => Math.sin(1.3 * i + phase) + 0.1);
  const length = Math.sqrt(raw.reduce((sum, x) => sum + x * x, 0));
  const v = raw.map((x) => (x * Math.SQRT2) / length);
  const middle = values.reduce((sum, value, i) => sum + value * v[i]! ** 2, 0);
  return Float64Array.from({ length: size * size }, (_, at) => {
    const [i, j] = [Math.floor(at / size), at % size];
    const straight = i === j ? values[i]! : 0;
    return straight - v[i]! * v[j]! * (values[i]! + values[j]! - middle);
  });
}
