/** Policies by name: a budget becomes capacities, and those a policy for one model and schedule. */
import { allocatePyramid, allocateScaleKV, allocateUniform, type Capacities } from "../budget/allocate.js";
import { parseAmount, resolveAmount } from "../budget/amount.js";
import { fitBudget, type Budget, type BudgetModel } from "../budget/budget.js";
import { presetFor } from "../budget/presets.js";
import type { Role, Roles } from "../budget/selectivity.js";
import { OptionError } from "../errors.js";
import { full } from "./policies/full.js";
import { pyramidkv } from "./policies/pyramidkv.js";
import { scalekv, type ScaleKVScoring } from "./policies/scalekv.js";
import { slidingWindow } from "./policies/sliding-window.js";
import { snapkv } from "./policies/snapkv.js";
import { streamingLlm } from "./policies/streaming-llm.js";
import type { MapSize, Policy } from "./policy.js";

/** Names of the policies. */
export const POLICY_NAMES = ["full", "scalekv", "snapkv", "pyramidkv", "streaming-llm", "sliding-window"] as const;

/** One of {@link POLICY_NAMES}. */
export type PolicyName = (typeof POLICY_NAMES)[number];

/** What of the KV cache is kept while an image is drawn. */
export interface CachePolicyOptions {
  /** Default `full`. */
  readonly policy?: PolicyName | undefined;
  /**
   * How much stays: a share of the full cache (`10%` or 0.1), tokens a layer (`650`), memory (`200MiB`), or a budget made
   * by calibration. Every policy but `full` needs one.
   */
  readonly budget?: string | number | Budget | undefined;
  /** ScaleKV's scoring rule: the published code's (`reference`, the default) or the paper's (`paper`). */
  readonly scoring?: ScaleKVScoring | undefined;
}

/** What a policy is made for. */
export interface PolicyTask {
  readonly model: BudgetModel;
  readonly maps: readonly MapSize[];
  /** Bytes of one token in all layers and rows, as it is stored; for budgets in memory. */
  readonly tokenBytes: number;
}

/** Where the roles of ScaleKV's layers come from; `first layer` is what is taken where neither of the others is to be had. */
export type RolesFrom = "calibration" | "published table" | "first layer";

/** A policy, and what it was made of. */
export interface ChosenPolicy {
  readonly policy: Policy;
  /** Tokens a layer that it keeps on average. Undefined for the full cache. */
  readonly budget: number | undefined;
  /** ScaleKV only. */
  readonly roles?: RolesFrom | undefined;
}

/** Refuses a policy without a budget, and the full cache with one; needs neither model nor schedule. */
export function checkPolicyOptions({ policy = "full", budget }: CachePolicyOptions): void {
  if (!POLICY_NAMES.includes(policy)) throw new OptionError(`policy ${policy}: not one of ${POLICY_NAMES.join(", ")}`);
  if (policy === "full") {
    if (budget !== undefined) throw new OptionError("policy full: keeps everything and takes no budget");
  } else if (budget === undefined) throw new OptionError(`policy ${policy}: needs a budget, such as 10%`);
  else if (typeof budget !== "object") parseAmount(budget);
}

/** Makes the policy for a model and schedule. A budget that does not fit them is an error that names value and limit. */
export function choosePolicy(options: CachePolicyOptions, task: PolicyTask): ChosenPolicy {
  checkPolicyOptions(options);
  const { policy: name = "full", budget, scoring } = options;
  if (name === "full" || budget === undefined) return { policy: full, budget: undefined };
  const given = typeof budget === "object" ? fitBudget(budget, task.model, task.maps, "budget") : undefined;
  const amount = typeof budget === "object" ? { kind: "tokens" as const, tokens: budget.base } : parseAmount(budget);
  const tokens = resolveAmount(amount, { maps: task.maps, bytesPerToken: task.tokenBytes });
  const common = { maps: task.maps, layers: task.model.depth, budget: tokens };
  const make = (capacities: Capacities): Policy => {
    switch (name) {
      case "scalekv":
        return scalekv({ capacities, baseCapacity: tokens, window: given?.window, scoring });
      case "snapkv":
        return snapkv({ capacities });
      case "pyramidkv":
        return pyramidkv({ capacities });
      case "streaming-llm":
        return streamingLlm({ capacities });
      case "sliding-window":
        return slidingWindow({ capacities });
    }
  };
  const policy = make(capacitiesFor(name, common, task, given));
  return { policy, budget: tokens, roles: name === "scalekv" ? rolesFrom(given, task) : undefined };
}

interface Common {
  readonly maps: readonly MapSize[];
  readonly layers: number;
  readonly budget: number;
}

function capacitiesFor(
  name: Exclude<PolicyName, "full">,
  common: Common,
  task: PolicyTask,
  given: Budget | undefined,
): Capacities {
  if (name === "pyramidkv") return allocatePyramid(common);
  if (name !== "scalekv") return allocateUniform(common);
  return (
    (given ?? publishedBudget(common, task))?.capacities ?? allocateScaleKV({ ...common, roles: knownRoles(task) })
  );
}

/** The published table, if it is for this model, schedule and budget. */
function publishedBudget({ budget, maps }: Common, { model }: PolicyTask): Budget | undefined {
  const published = presetFor(model)?.budget;
  const same = published?.base === budget && JSON.stringify(published.schedule.maps) === JSON.stringify(maps);
  return same ? published : undefined;
}

function rolesFrom(given: Budget | undefined, { model }: PolicyTask): RolesFrom {
  if (given) return "calibration";
  return presetFor(model) ? "published table" : "first layer";
}

/**
 * Who drafts, where no calibration says so: as the published table of this model has it and, for a model without one,
 * the first layer alone, which drafts at every scale in every published table. The report says which.
 */
function knownRoles({ model, maps }: PolicyTask): Roles {
  const published = presetFor(model)?.budget.roles;
  const role = (layer: number, scale: number): Role =>
    (published ? published[layer]?.[scale] === "drafter" : layer === 0) ? "drafter" : "refiner";
  return Array.from({ length: model.depth }, (_, layer) => maps.map((_, scale) => role(layer, scale)));
}
