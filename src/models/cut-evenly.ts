/** Cuts `length` into the fewest parts of at most `most`, as equal as can be; gives where each ends. */
export function cutEvenly(length: number, most: number): number[] {
  const parts = Math.max(1, Math.ceil(length / most));
  return Array.from({ length: parts }, (_, i) => Math.round(((i + 1) * length) / parts));
}
