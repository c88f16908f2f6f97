/**
 * What every policy must hold to, whatever it keeps. A new policy is put through all of this by one line of
 * `policies/conformance.test.ts`. First its plans, for every size that is published (`plan.case.ts`); then what the
 * caches make of them (`cache.case.ts`).
 */
import { describe } from "vitest";
import { parseAmount, resolveAmount } from "../budget/amount.js";
import { PIXEL_CLASSES } from "../models/infinity/schedule.js";
import { cacheSuite } from "./cache.case.js";
import { planSuite, type MakePolicy } from "./plan.case.js";
import type { PolicyTask } from "./registry.js";
import { STORAGE_TYPES } from "./storage.js";

/** Square, nearly square, and the tallest and widest there are; height / width. */
const RATIOS = [1, 0.8, 3, 0.333];

/** What a policy cannot help. */
export interface Allowances {
  /** It uses its budget in full; default true. Otherwise it leaves less than the history of one head. */
  readonly fills?: boolean;
  /** The least tokens a layer that it can work with; default the observation window. */
  readonly least?: number;
}

/** The suite. */
export function conformance(name: string, make: MakePolicy, allowances: Allowances = {}): void {
  const { least = 1, fills = true } = allowances;
  const made: MakePolicy = (task, budget) => make(task, atLeast(budget, least, task));
  describe(name, () => {
    describe.each(RATIOS)("at ratio %d", (ratio) => {
      describe.each(PIXEL_CLASSES)("and %s", (pixels) => {
        planSuite(made, ratio, pixels, fills);
      });
    });
    describe.each(STORAGE_TYPES)("stored as %s", (storage) => {
      cacheSuite(made, storage);
    });
  });
}

/** The budget or, where that is smaller, `least` tokens. */
function atLeast(budget: string | number, least: number, { maps }: PolicyTask): string | number {
  const tokens = resolveAmount(parseAmount(budget), { maps });
  return tokens < least ? least : budget;
}
