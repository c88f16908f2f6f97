/** Shares of yes and no as text. */
import type { Difference, Proportion } from "../evaluation/proportion.js";

/** `62.5 %` */
export function percentOf({ share }: Proportion): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** `55.9–68.7 %` */
export function intervalOf({ low, high }: Proportion): string {
  return `${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)} %`;
}

/** `-0.5 ± 1.8`, in points */
export function differenceOf({ difference, error }: Difference): string {
  return `${(100 * difference).toFixed(1)} ± ${(100 * error).toFixed(1)}`;
}
