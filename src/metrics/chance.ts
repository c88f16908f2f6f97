/** Random choices that depend on nothing but their own numbers, so that a measurement repeated gives the same value. */

/** A number in [0, 1), 32 bits of it, for a place in a stream: the finaliser of MurmurHash3 (Appleby) over both. */
function uniform(stream: number, place: number): number {
  const mixed = mix(mix(stream + 0x9e3779b9) ^ place);
  return mixed / 2 ** 32;
}

function mix(word: number): number {
  let h = word >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A whole number from 0 to `bound` − 1. */
export function chosen(stream: number, place: number, bound: number): number {
  return Math.floor(uniform(stream, place) * bound);
}

/** `count` different numbers from 0 to `bound` − 1: the beginning of a shuffle (Fisher and Yates). */
export function sample(stream: number, count: number, bound: number): Uint32Array {
  const numbers = Uint32Array.from({ length: bound }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const other = i + chosen(stream, i, bound - i);
    [numbers[i], numbers[other]] = [numbers[other]!, numbers[i]!];
  }
  return numbers.slice(0, count);
}
