/** Small arrays of any rank for oracles that are written down index by index, in double precision. */

/** Values in row-major order. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** The array whose element at an index is `value` of that index. */
export function tabulate(shape: readonly number[], value: (...index: number[]) => number): NdArray {
  const values: number[] = [];
  const fill = (index: number[]): void => {
    const length = shape[index.length];
    if (length === undefined) values.push(value(...index));
    else for (let i = 0; i < length; i++) fill([...index, i]);
  };
  fill([]);
  return { shape, values };
}

/** The element at an index; one outside the array is an error of the test. */
export function at({ shape, values }: NdArray, ...index: number[]): number {
  const inside = index.length === shape.length && index.every((i, axis) => i >= 0 && i < (shape[axis] ?? 0));
  if (!inside) throw new RangeError(`[${index.join(", ")}] is outside [${shape.join(", ")}]`);
  return values[index.reduce((offset, i, axis) => offset * shape[axis]! + i, 0)]!;
}

/** Values between −1 and 1, none alike, exact in float32; another phase gives others. */
export function wave(shape: readonly number[], phase = 0): NdArray {
  let i = 0;
  return tabulate(shape, () => Math.fround(Math.sin(1.7 * i++ + phase)));
}

/** term(0) + … + term(count − 1). */
export function sum(count: number, term: (i: number) => number): number {
  return Array.from({ length: count }, (_, i) => term(i)).reduce((total, value) => total + value, 0);
}
