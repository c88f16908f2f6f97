/** Shares of yes and no, and how far they can be trusted. */

/** The normal distribution's 97.5 % point. */
const NORMAL_97_5 = 1.959964;

/** So many of so many, with a 95 % interval of the share; without any the share is NaN and the interval everything. */
export interface Proportion {
  readonly right: number;
  readonly of: number;
  /** 0 to 1, as are the interval's ends. */
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The share with Wilson's score interval (E. B. Wilson, JASA 22, 1927), which stays inside 0 to 1 and holds for few
 * trials and extreme shares, too:
 *
 *     (p + z²/2n ± z √(p (1 − p) / n + z²/4n²)) / (1 + z²/n)
 */
export function proportion(right: number, of: number): Proportion {
  if (of === 0) return { right, of, share: NaN, low: 0, high: 1 };
  const share = right / of;
  const square = NORMAL_97_5 ** 2 / of;
  const middle = share + square / 2;
  const half = NORMAL_97_5 * Math.sqrt((share * (1 - share)) / of + square / (4 * of));
  return {
    ...{ right, of, share },
    low: Math.max(0, (middle - half) / (1 + square)),
    high: Math.min(1, (middle + half) / (1 + square)),
  };
}

/** A difference of shares and half of its 95 % interval. */
export interface Difference {
  readonly difference: number;
  readonly error: number;
}

/**
 * The share of `after` less that of `before`, for trials that belong together: only those count in which the two differ
 * (b gained, c lost), so the error is z √(b + c − (b − c)² / n) / n. Both have one entry a trial, at least one.
 */
export function pairedDifference(before: readonly boolean[], after: readonly boolean[]): Difference {
  const count = before.length;
  const gained = before.filter((was, i) => !was && after[i]).length;
  const lost = before.filter((was, i) => was && !after[i]).length;
  const variance = gained + lost - (gained - lost) ** 2 / count;
  return { difference: (gained - lost) / count, error: (NORMAL_97_5 * Math.sqrt(variance)) / count };
}
