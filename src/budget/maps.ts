/** The token maps of a schedule, as far as budgets need them: how much history there is after each scale. */

/** The map of one scale, in tokens. */
export interface MapSize {
  readonly height: number;
  readonly width: number;
}

/**
 * Tokens of the scales 0 … k, for every scale k that a later one looks back on: k = 0 … K − 2 of K scales. The last
 * element is what a full cache holds.
 */
export function historyAfter(maps: readonly MapSize[]): number[] {
  let tokens = 0;
  return maps.slice(0, -1).map(({ height, width }) => (tokens += height * width));
}

/** Tokens that the last scale looks back on: all maps but its own. */
export function historyTokens(maps: readonly MapSize[]): number {
  return historyAfter(maps).at(-1) ?? 0;
}
