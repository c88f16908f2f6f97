/**
 * From measured attention to a budget. What was measured, while prompts were drawn with the full cache, is a mean over
 * sampled queries; here means become scores, scores roles, and roles capacities.
 */
import { BudgetError } from "../errors.js";
import { allocateScaleKV, windowFor } from "./allocate.js";
import type { Budget, BudgetModel } from "./budget.js";
import { historyAfter, type MapSize } from "./maps.js";
import { evictionOrder, SINK_SCALES, type SegmentMass } from "./segments.js";
import {
  assignRoles,
  attentionSelectivity,
  DRAFTER_SHARE,
  zScores,
  type AttentionMeans,
  type Scores,
} from "./selectivity.js";

/** Attention as measured: by layer and scale, and by head on every source scale. */
export interface AttentionStatistics extends AttentionMeans {
  /** Mean over the scales after the source, each of them counting the same. */
  readonly segments: SegmentMass;
  /**
   * [layer][head]: at the last scale, how the attention to a key varies from query to query, summed over the keys. Low
   * where all queries look at the same tokens.
   */
  readonly variance: readonly (readonly number[])[];
}

/** The same while it is summed up. */
export interface StatisticsSums extends AttentionStatistics {
  readonly current: number[][];
  readonly history: number[][];
  readonly segments: number[][][];
  readonly variance: number[][];
}

/** What is calibrated: a model at one size. */
export interface CalibrationSubject {
  /** What the model was asked for by, or its path. */
  readonly name: string;
  readonly model: BudgetModel;
  readonly schedule: Budget["schedule"];
  /** Bytes of one token in all layers and in the rows of one image, as float32: what a budget in memory divides by. */
  readonly tokenBytes: number;
}

/** What else a budget takes. */
export interface CalibrationTask extends Pick<CalibrationSubject, "model" | "schedule"> {
  /** Tokens a layer on average. */
  readonly base: number;
  /** How many pairs of layer and scale are drafters; by default the published share. */
  readonly drafters?: number | undefined;
  readonly made: Budget["made"];
}

/** Measured shares are good to 7 digits at best; with 6 a file is small, and noise in the last one is left out. */
const DIGITS = 6;

/** No attention at all, in the shape of a measurement. */
export function emptyStatistics({ depth, heads }: Omit<BudgetModel, "width">, scales: number): StatisticsSums {
  const zeros = (length: number): number[] => new Array<number>(length).fill(0);
  const table = (rows: number, columns: number): number[][] => Array.from({ length: rows }, () => zeros(columns));
  return {
    current: table(depth, scales),
    history: table(depth, scales),
    segments: Array.from({ length: depth }, () => table(heads, scales - 1)),
    variance: table(depth, heads),
  };
}

/** The mean of several measurements of one shape, each of them counting the same. */
export function meanStatistics(all: readonly AttentionStatistics[]): AttentionStatistics {
  const mean = (tables: readonly Table[]): number[][] =>
    tables[0]!.map((row, r) => row.map((_, c) => tables.reduce((sum, table) => sum + table[r]![c]!, 0) / all.length));
  return {
    current: mean(all.map(({ current }) => current)),
    history: mean(all.map(({ history }) => history)),
    segments: all[0]!.segments.map((_, layer) => mean(all.map(({ segments }) => segments[layer]!))),
    variance: mean(all.map(({ variance }) => variance)),
  };
}

type Table = readonly (readonly number[])[];

/**
 * The budget that a measurement leads to. Everything in it follows from the rounded statistics that it states, so that
 * a reader can check it.
 *
 * @throws OptionError for a base below the window, or more drafters than pairs of a layer and a compressed scale
 */
export function calibratedBudget(statistics: AttentionStatistics, task: CalibrationTask): Budget {
  const { model, schedule, base, drafters, made } = task;
  const asi = rounded(attentionSelectivity(statistics));
  const z = rounded(zScores(asi));
  const mass = statistics.segments.map((layer) => layer.map((head) => head.map(round)));
  return {
    version: 1,
    model,
    schedule,
    window: windowFor(base),
    base,
    ...rolesAndCapacities(z, { maps: schedule.maps, base, drafters }),
    statistics: { asi, z },
    segments: {
      mass,
      sinks: SINK_SCALES,
      order: evictionOrder(mass),
      variance: statistics.variance.map((heads) => heads.map(round)),
    },
    made,
  };
}

/**
 * What a calibration says for a budget of another size: the statistics stay, roles and capacities follow from them anew,
 * with the same share of drafters.
 *
 * @throws BudgetError for a budget without statistics, such as a published table
 */
export function rebase(calibrated: Budget, base: number, file: string): Budget {
  const { statistics, schedule } = calibrated;
  if (!statistics)
    throw new BudgetError(`${file}: holds no statistics, so it is for ${calibrated.base} tokens a layer only`);
  return {
    ...calibrated,
    window: windowFor(base),
    base,
    ...rolesAndCapacities(statistics.z, { maps: schedule.maps, base, drafters: draftersAt(base, calibrated) }),
  };
}

/** As many drafters as a calibration's own number comes to for another base; undefined where it took the usual share. */
function draftersAt(base: number, { roles, schedule: { maps } }: Budget): number | undefined {
  const known = roles.flat().filter((role) => role !== null);
  const drafters = known.filter((role) => role === "drafter").length;
  if (drafters === Math.round(DRAFTER_SHARE * known.length)) return undefined;
  const pairs = roles.length * Math.max(maps.length - firstCompressedScale(maps, base), 0);
  return Math.round((drafters / known.length) * pairs);
}

function rolesAndCapacities(
  z: Scores,
  { maps, base, drafters }: { maps: readonly MapSize[]; base: number; drafters?: number | undefined },
): Pick<Budget, "roles" | "capacities"> {
  const roles = assignRoles(z, {
    firstScale: firstCompressedScale(maps, base),
    ...(drafters !== undefined && { drafters }),
  });
  return { roles, capacities: allocateScaleKV({ maps, layers: z.length, budget: base, roles }) };
}

/** The first scale that reads an evicted cache; the number of scales where none does. */
function firstCompressedScale(maps: readonly MapSize[], base: number): number {
  const over = historyAfter(maps).findIndex((tokens) => tokens > base);
  return over === -1 ? maps.length : over + 1;
}

function rounded(scores: Scores): Scores {
  return scores.map((row) => row.map((score) => score && round(score)));
}

function round(value: number): number {
  return Number(value.toPrecision(DIGITS));
}
