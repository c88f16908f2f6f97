/** Who takes part in a comparison of caches: every policy under every budget, in every storage type asked for. */
import type { ScaleKVScoring } from "../cache/policies/scalekv.js";
import type { PolicyName } from "../cache/registry.js";
import type { StorageType } from "../cache/storage.js";

/** A compressed cache. */
export interface Contender {
  /** Its own among all, and fit for a folder: `scalekv-reference-10%-int8`. */
  readonly name: string;
  readonly policy: Exclude<PolicyName, "full">;
  readonly scoring?: ScaleKVScoring | undefined;
  /** As on the command line: a share, tokens a layer, or memory. */
  readonly budget: string;
  readonly storage: StorageType;
}

/** A policy with, for ScaleKV, its scoring rule: `scalekv` or `scalekv-reference`. */
export type PolicyVariant = Pick<Contender, "policy" | "scoring">;

/** All combinations, policies outermost: rows of a table as one reads them. */
export function contendersOf(
  policies: readonly PolicyVariant[],
  budgets: readonly string[],
  storages: readonly StorageType[],
): Contender[] {
  return policies.flatMap(({ policy, scoring }) =>
    storages.flatMap((storage) =>
      budgets.map((budget) => ({
        name: [variantName({ policy, scoring }), budget, ...(storage === "fp32" ? [] : [storage])].join("-"),
        policy,
        scoring,
        budget,
        storage,
      })),
    ),
  );
}

/** How a variant is called. */
export function variantName({ policy, scoring }: PolicyVariant): string {
  return scoring === "reference" ? `${policy}-reference` : policy;
}
