/**
 * From measured attention to a budget. What was measured, while prompts were drawn with the full cache, is a mean over
 * sampled queries; here means become scores, scores roles, and roles capacities.
 */
import { allocateScaleKV, WINDOW } from "./allocate.js";
import type { Budget, BudgetModel } from "./budget.js";
import { historyAfter, type MapSize } from "./maps.js";
import { evictionOrder, SINK_SCALES, type SegmentMass } from "./segments.js";
import { assignRoles, attentionSelectivity, zScores, type AttentionMeans, type Scores } from "./selectivity.js";

/** Attention as measured: by layer and scale, and by head on every source scale. */
export interface AttentionStatistics extends AttentionMeans {
  /** Mean over the scales after the source, each of them counting the same. */
  readonly segments: SegmentMass;
}

/** The same while it is summed up. */
export interface StatisticsSums extends AttentionStatistics {
  readonly current: number[][];
  readonly history: number[][];
  readonly segments: number[][][];
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
  const { maps } = schedule;
  const asi = rounded(attentionSelectivity(statistics));
  const z = rounded(zScores(asi));
  const firstScale = firstCompressedScale(maps, base);
  const roles = assignRoles(z, { firstScale, ...(drafters !== undefined && { drafters }) });
  const mass = statistics.segments.map((layer) => layer.map((head) => head.map(round)));
  return {
    version: 1,
    model,
    schedule,
    window: WINDOW,
    base,
    roles,
    capacities: allocateScaleKV({ maps, layers: model.depth, budget: base, roles }),
    statistics: { asi, z },
    segments: { mass, sinks: SINK_SCALES, order: evictionOrder(mass) },
    made,
  };
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
