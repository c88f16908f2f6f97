/** Shares of yes and no as text. */
import type { Proportion } from "../evaluation/proportion.js";

/** `62.5 %` */
export function percentOf({ share }: Proportion): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** `55.9–68.7 %` */
export function intervalOf({ low, high }: Proportion): string {
  return `${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)} %`;
}
