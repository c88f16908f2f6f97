/** Policies by name: a budget becomes capacities, and those a policy for one model and schedule. */
import {
  allocateByKind,
  allocatePyramid,
  allocateScaleKV,
  allocateUniform,
  windowFor,
  type AllocationTask,
  type Capacities,
} from "../budget/allocate.js";
import { parseAmount, resolveAmount } from "../budget/amount.js";
import {
  checkBudget,
  coversMaps,
  fitBudget,
  type Budget,
  type BudgetModel,
  type HeadStatistics,
} from "../budget/budget.js";
import { rebase } from "../budget/calibration.js";
import { historyTokens } from "../budget/maps.js";
import { presetFor } from "../budget/presets.js";
import type { Role, Roles } from "../budget/selectivity.js";
import { BudgetError, OptionError } from "../errors.js";
import { adaptive } from "./policies/adaptive.js";
import { full } from "./policies/full.js";
import { h2o } from "./policies/h2o.js";
import { hack } from "./policies/hack.js";
import { heatkv } from "./policies/heatkv.js";
import { pyramidkv } from "./policies/pyramidkv.js";
import { scalekv, SCORINGS, type ScaleKVScoring } from "./policies/scalekv.js";
import { slidingWindow } from "./policies/sliding-window.js";
import { snapkv } from "./policies/snapkv.js";
import { streamingLlm } from "./policies/streaming-llm.js";
import type { MapSize, Policy } from "./policy.js";

/** Names of the policies. */
export const POLICY_NAMES = [
  "full",
  "scalekv",
  "snapkv",
  "pyramidkv",
  "streaming-llm",
  "sliding-window",
  "h2o",
  "heatkv",
  "hack",
  "adaptive",
] as const;

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
  /**
   * What a calibration found out about the model, where `budget` is only an amount. `heatkv` and `hack` need it or a
   * calibrated budget; `scalekv` takes its roles from it. Default: the one that lies beside a model on
   * disk, if it is for the maps that are drawn; null for not even that.
   */
  readonly calibration?: Budget | null | undefined;
  /** ScaleKV's scoring rule: the paper's (`paper`, the default) or the published code's (`reference`). */
  readonly scoring?: ScaleKVScoring | undefined;
}

/** What a policy is made for. */
export interface PolicyTask {
  readonly model: BudgetModel;
  readonly maps: readonly MapSize[];
  /** Bytes of one token in all layers and rows, as it is stored; for budgets in memory. */
  readonly tokenBytes: number;
  /**
   * Bytes of one number a token in all layers, heads and rows: its score where scores add up, its count where tokens are
   * merged. Default 0.
   */
  readonly scoreBytes?: number | undefined;
  /** Bytes that each of the first tokens takes on top, in all layers and rows. Default 0. */
  readonly fineBytes?: number | undefined;
  /** The model's own calibration. */
  readonly calibration?: Budget | undefined;
}

/** Where the roles of ScaleKV's layers come from; `first layer` is what is taken where neither of the others is to be had. */
export type RolesFrom = "calibration" | "published table" | "first layer";

/** A policy, and what it was made of. */
export interface ChosenPolicy {
  readonly policy: Policy;
  /** Tokens a layer that it keeps on average. Undefined for the full cache. */
  readonly budget: number | undefined;
  /** The calibration that it was made of, as it was found. */
  readonly calibration?: Budget | undefined;
  /** ScaleKV only. */
  readonly roles?: RolesFrom | undefined;
}

/** What a policy is made of. */
interface Ingredients {
  /** For capacities by layer, and by head. */
  readonly layers: AllocationTask;
  readonly heads: AllocationTask;
  readonly task: PolicyTask;
  /** The calibration for this budget, if there is one. */
  readonly calibrated: Budget | undefined;
  /** What the calibration says of the heads; it is there where heads are told apart. */
  readonly headStatistics: () => HeadStatistics;
  readonly scoring: ScaleKVScoring | undefined;
}

/** How a policy is made. */
interface Recipe {
  readonly make: (given: Ingredients) => Policy;
  /** It takes from a calibration what it can. */
  readonly calibrated?: boolean;
  /** Its plans treat heads apart. */
  readonly headwise?: boolean;
  /** Its scores add up, and take memory beside the tokens. */
  readonly cumulative?: boolean;
  /** Its tokens stand for several, and for how many takes memory beside them. */
  readonly merging?: boolean;
}

const RECIPES: Readonly<Record<Exclude<PolicyName, "full">, Recipe>> = {
  scalekv: {
    make: ({ layers, task, calibrated, scoring }) =>
      scalekv({
        capacities: scalekvCapacities(layers, task, calibrated),
        baseCapacity: layers.budget,
        window: calibrated?.window ?? windowFor(layers.budget),
        scoring,
      }),
    calibrated: true,
  },
  snapkv: { make: ({ layers }) => snapkv({ capacities: allocateUniform(layers), window: windowFor(layers.budget) }) },
  pyramidkv: {
    make: ({ layers }) => pyramidkv({ capacities: allocatePyramid(layers), window: windowFor(layers.budget) }),
  },
  "streaming-llm": { make: ({ layers }) => streamingLlm({ capacities: allocateUniform(layers) }) },
  "sliding-window": { make: ({ layers }) => slidingWindow({ capacities: allocateUniform(layers) }) },
  h2o: { make: ({ layers }) => h2o({ capacities: allocateUniform(layers) }), cumulative: true },
  heatkv: {
    make: ({ headStatistics, layers }) => heatkv({ ...headStatistics(), budget: layers.budget }),
    calibrated: true,
    headwise: true,
  },
  hack: {
    make: ({ heads, headStatistics }) => {
      const contextual = contextualHeads(headStatistics());
      return hack({ capacities: allocateByKind({ ...heads, contextual }), contextual });
    },
    calibrated: true,
    headwise: true,
    cumulative: true,
  },
  adaptive: {
    make: ({ layers }) => adaptive({ capacities: allocateUniform(layers) }),
    merging: true,
  },
};

/** Whether a policy treats the heads of a layer apart, which a model must be loaded for. */
export function isHeadwise({ policy = "full" }: CachePolicyOptions): boolean {
  return policy !== "full" && RECIPES[policy].headwise === true;
}

/** Whether a policy merges tokens, which a model must be loaded for. */
export function isMerging({ policy = "full" }: CachePolicyOptions): boolean {
  return policy !== "full" && RECIPES[policy].merging === true;
}

/** Refuses a policy without a budget, the full cache with one, and tables that are none; needs neither model nor schedule. */
export function checkPolicyOptions(options: CachePolicyOptions): void {
  const { policy = "full", budget, calibration, scoring = "paper" } = options;
  if (!POLICY_NAMES.includes(policy)) throw new OptionError(`policy ${policy}: not one of ${POLICY_NAMES.join(", ")}`);
  if (!SCORINGS.includes(scoring)) throw new OptionError(`scoring ${scoring}: not one of ${SCORINGS.join(", ")}`);
  if (policy === "full") {
    if (budget !== undefined) throw new OptionError("policy full: keeps everything and takes no budget");
  } else if (budget === undefined) throw new OptionError(`policy ${policy}: needs a budget, such as 10%`);
  else if (typeof budget === "object") checkBudget(budget, "budget");
  else parseAmount(budget);
  // A program may pass anything; null stands for none.
  if (calibration !== undefined && calibration !== null) checkBudget(calibration, "calibration");
}

/** Refuses a policy that tells heads apart where neither the options nor the model have a calibration that does. */
export function checkCalibration(options: CachePolicyOptions, own: Budget | undefined): void {
  const given = calibrationIn(options);
  if (!isHeadwise(options) || (given === undefined ? own : given)?.segments) return;
  const { policy } = options;
  throw new OptionError(`policy ${policy}: needs a calibration, which tells the heads apart; see scalekv calibrate`);
}

/** A budget that was made by calibration is one. */
function calibrationIn({ budget, calibration }: CachePolicyOptions): Budget | null | undefined {
  return typeof budget === "object" ? budget : calibration;
}

/** Makes the policy for a model and schedule. A budget that does not fit them is an error that names value and limit. */
export function choosePolicy(options: CachePolicyOptions, task: PolicyTask): ChosenPolicy {
  checkPolicyOptions(options);
  const { policy: name = "full", budget, scoring } = options;
  if (name === "full" || budget === undefined) return { policy: full, budget: undefined };
  const { make, cumulative, merging } = RECIPES[name];
  const calibration = calibrationFor(options, task);
  checkCalibration({ ...options, calibration: calibration ?? null }, undefined);
  const { maps, model, tokenBytes, scoreBytes = 0, fineBytes } = task;
  const amount = typeof budget === "object" ? { kind: "tokens" as const, tokens: budget.base } : parseAmount(budget);
  const bytesPerToken = tokenBytes + ((cumulative ? 1 : 0) + (merging ? 1 : 0)) * scoreBytes;
  const tokens = resolveAmount(amount, { maps, bytesPerToken, fineBytes });
  const calibrated =
    calibration && fitted(calibration, task, tokens, typeof budget === "object" ? "budget" : "calibration");
  const policy = make({
    layers: { maps, layers: model.depth, budget: tokens },
    heads: { maps, layers: model.depth * model.heads, budget: tokens },
    task,
    calibrated,
    headStatistics: () => calibrated!.segments!,
    scoring,
  });
  return { policy, budget: tokens, calibration, roles: name === "scalekv" ? rolesFrom(calibrated, task) : undefined };
}

/** The calibration that was given, else the model's own where it knows these maps and the policy has use for it. */
function calibrationFor(options: CachePolicyOptions, { maps, calibration: own }: PolicyTask): Budget | undefined {
  const { policy = "full" } = options;
  const given = calibrationIn(options);
  if (given !== undefined) return given ?? undefined;
  const used = policy !== "full" && RECIPES[policy].calibrated === true;
  return used && own && coversMaps(own, maps) ? own : undefined;
}

/** A calibration for this model and schedule and `tokens` a layer. */
function fitted(calibration: Budget, { model, maps }: PolicyTask, tokens: number, name: string): Budget {
  const fitting = fitBudget(calibration, model, maps, name);
  // A budget of more than there is keeps everything, as does its own base where fewer scales are drawn than it knows.
  const base = Math.min(fitting.base, historyTokens(maps));
  return base === tokens ? fitting : rebase(fitting, tokens, name);
}

function scalekvCapacities(layers: AllocationTask, task: PolicyTask, calibrated: Budget | undefined): Capacities {
  const known = calibrated ?? publishedBudget(layers, task);
  return known?.capacities ?? allocateScaleKV({ ...layers, roles: knownRoles(task) });
}

/** The half of all heads, layer × heads + head, whose attention varies least from query to query. */
function contextualHeads({ variance }: HeadStatistics): boolean[] {
  if (!variance)
    throw new BudgetError("policy hack: the calibration does not tell how attention varies; calibrate anew");
  const heads = variance.flat();
  const ranked = [...heads.keys()].sort((a, b) => heads[a]! - heads[b]! || a - b);
  const chosen = new Set(ranked.slice(0, Math.floor(heads.length / 2)));
  return heads.map((_, slot) => chosen.has(slot));
}

/** The published table, if it is for this model, schedule and budget. */
function publishedBudget({ budget, maps }: AllocationTask, { model }: PolicyTask): Budget | undefined {
  const published = presetFor(model)?.budget;
  const same = published?.base === budget && JSON.stringify(published.schedule.maps) === JSON.stringify(maps);
  return same ? published : undefined;
}

function rolesFrom(calibrated: Budget | undefined, { model }: PolicyTask): RolesFrom {
  if (calibrated) return "calibration";
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
