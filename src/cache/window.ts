/**
 * Observation windows: the tokens of a map that stand for all of it. The map is cut into patches and the token in the
 * middle of each observes (the paper's Eq. 5); the published code does this for square maps only.
 */
import type { MapSize } from "./policy.js";

/**
 * Tokens in the middle of the patches of a map, sorted, at most `size` of them. A square map is cut as the published
 * code cuts it: √size × √size patches of ⌊side / √size⌋ tokens. Other maps get as many columns as fit, up to √size, and
 * rows up to what is left. Undefined where the published code finds no window: a map narrower than its grid.
 */
export function centreTokens({ height, width }: MapSize, size: number): number[] | undefined {
  const side = Math.floor(Math.sqrt(size));
  const columns = Math.min(side, width);
  const rows = Math.min(Math.floor(size / columns), height);
  if (rows * columns < side * side || (height === width && (side > height || side * side !== size))) return undefined;
  const tokens: number[] = [];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) tokens.push(middle(i, rows, height) * width + middle(j, columns, width));
  }
  return tokens;
}

/** The middle place of the `index`-th of `parts` equal patches of a side; what does not divide is left at the end. */
function middle(index: number, parts: number, side: number): number {
  const patch = Math.floor(side / parts);
  return index * patch + Math.floor((patch - 1) / 2);
}

/** At most `count` of a map's tokens, evenly spread over it in raster order. */
export function spreadTokens(fresh: number, count: number): number[] {
  const chosen = Math.min(fresh, count);
  return Array.from({ length: chosen }, (_, i) => Math.floor(((i + 0.5) * fresh) / chosen));
}

/** The first `first` positions and the latest `latest` of `length`, which are no fewer than both. */
export function firstAndLatest(first: number, latest: number, length: number): number[] {
  const positions = [...new Array<number>(first).keys()];
  for (let token = length - latest; token < length; token++) positions.push(token);
  return positions;
}

/** A window at its place in a layer's cache. */
export interface Window {
  /** Sorted positions in the cache. */
  readonly positions: readonly number[];
  /** The scale's tokens whose queries observe, one a position. */
  readonly observers: readonly number[];
}

/** The centres of the scale's map or, where it is too small for them, the last `size` tokens of all. */
export function observationWindow(cached: number, map: MapSize, size: number): Window {
  const centres = centreTokens(map, size);
  if (centres) return { positions: centres.map((token) => cached + token), observers: centres };
  return recentWindow(cached, map.height * map.width, size);
}

/** The last `size` tokens. One from before this scale is observed for by the scale's first token. */
export function recentWindow(cached: number, fresh: number, size: number): Window {
  const length = Math.min(size, cached + fresh);
  const positions = Array.from({ length }, (_, i) => cached + fresh - length + i);
  return { positions, observers: positions.map((position) => Math.max(0, position - cached)) };
}
