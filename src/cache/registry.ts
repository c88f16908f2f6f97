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

/** What is asked for. */
export interface PolicyWish {
  readonly policy: PolicyName;
  /** A share (`10%`, 0.1), tokens a layer (`650`), memory (`200MiB`), or a budget made by calibration. */
  readonly budget: string | number | Budget;
  /** ScaleKV's scoring rule. Default `reference`, until both are measured on a trained model. */
  readonly scoring?: ScaleKVScoring | undefined;
}

/** What a policy is made for. */
export interface PolicyTask {
  readonly model: BudgetModel;
  readonly maps: readonly MapSize[];
  /** Bytes of one token in all layers and rows, as it is stored; for budgets in memory. */
  readonly tokenBytes: number;
}

/** A policy, and the tokens a layer it keeps on average. */
export interface ChosenPolicy {
  readonly policy: Policy;
  /** Undefined for the full cache. */
  readonly budget: number | undefined;
}

/** Makes the policy for a model and schedule. A budget that does not fit them is an error that names value and limit. */
export function choosePolicy({ policy: name, budget, scoring }: PolicyWish, task: PolicyTask): ChosenPolicy {
  if (!POLICY_NAMES.includes(name)) throw new OptionError(`policy ${name}: not one of ${POLICY_NAMES.join(", ")}`);
  if (name === "full") return { policy: full, budget: undefined };
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
  return { policy: make(capacitiesFor(name, common, task, given)), budget: tokens };
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

/**
 * Who drafts, where no calibration says so: as the published table of this model has it and, for a model without one, the first layer
 * alone, which drafts at every scale in every published table.
 */
function knownRoles({ model, maps }: PolicyTask): Roles {
  const published = presetFor(model)?.budget.roles;
  const role = (layer: number, scale: number): Role =>
    (published ? published[layer]?.[scale] === "drafter" : layer === 0) ? "drafter" : "refiner";
  return Array.from({ length: model.depth }, (_, layer) => maps.map((_, scale) => role(layer, scale)));
}
