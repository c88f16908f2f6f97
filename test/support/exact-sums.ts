/** Whether this processor multiplies `w8a8` exactly; where it does not, those weights are refused and not tested. */
import type { WeightType } from "../../src/graph/model.js";
import { largestSums, requireExactSums } from "../../src/runtime/probe.js";

/** See the file's head. */
export const sumsAreExact = await largestSums("cpu").then((sums) => {
  try {
    requireExactSums(sums);
    return true;
  } catch {
    return false;
  }
});

/** Whether matrices held so can be multiplied on this processor. */
export function runsHere(weights: WeightType): boolean {
  return weights !== "w8a8" || sumsAreExact;
}
