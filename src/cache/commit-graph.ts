/**
 * What happens to a layer's cache after a scale, as graphs without weights: one serves all layers of a model. The new
 * tokens are narrowed to the stored type, put behind the cached ones, and the tokens that stay are copied out. Keys are
 * judged as they are stored, since that is how attention will read them.
 *
 * A lane is one row and head, numbered row · heads + head; lane by lane the positions that stay may differ, their number
 * not.
 */
import { GraphBuilder, type Value } from "../graph/builder.js";
import type { GraphModel, GraphTarget } from "../graph/model.js";
import * as op from "../graph/ops/index.js";
import type { Scoring } from "./policy.js";
import { narrow, STORED_ELEMENT, storedInput, widen, type StorageType, type Stored } from "./storage.js";

/** Sizes of a commit graph. */
export interface CommitShape {
  readonly heads: number;
  readonly dim: number;
  readonly storage: StorageType;
  readonly target: GraphTarget;
}

/** A commit graph under construction. */
interface Commit extends CommitShape {
  readonly g: GraphBuilder;
  readonly width: number;
}

/**
 * Narrows new tokens to fp16 or int8; fp32 needs no graph, it is stored as it comes. Inputs `new_k`, `new_v`
 * [tokens, rows, C]; outputs `kept_k`, `kept_v` in the stored type and, for int8, `kept_k_scale`, `kept_v_scale`
 * [tokens, rows, heads].
 */
export function buildNarrow(shape: CommitShape): Promise<GraphModel> {
  const commit = begin("narrow", shape);
  for (const name of ["k", "v"] as const) emit(commit, name, fresh(commit, name));
  return commit.g.build();
}

/**
 * Keeps given positions. Inputs: `past_k`, `past_v` [past, rows, C] as stored (and their scales), `new_k`, `new_v`
 * [tokens, rows, C]; `positions` [kept, lanes]; `lanes` [lanes], 0, 1, 2 and so on. Outputs as {@link buildNarrow}.
 */
export function buildKeep(shape: CommitShape): Promise<GraphModel> {
  const commit = begin("keep", shape);
  const entries = tableEntries(commit, commit.g.input("positions", "int64", ["kept", "lanes"]));
  for (const name of ["k", "v"] as const) emit(commit, name, pick(commit, join(commit, name), entries));
  return commit.g.build();
}

/** Keeps everything, for a cache on a device. Inputs as {@link buildKeep} without `positions` and `lanes`. */
export function buildAppend(shape: CommitShape): Promise<GraphModel> {
  const commit = begin("append", shape);
  for (const name of ["k", "v"] as const) emit(commit, name, join(commit, name));
  return commit.g.build();
}

/**
 * Judges, chooses and keeps. Inputs as {@link buildKeep} without `positions`; `observed` [observers, rows, C], the
 * observers' queries; `window` [lanes, window], the positions that stay anyway; `excluded` [1, past + tokens], −∞ on the
 * window and 0 elsewhere; `others` [1], how many more stay; `count` [1], how many in all. Where scores add up, also
 * `past_scores` [lanes, 1, past] and `new_scores` [lanes, 1, tokens], zeros. Outputs as {@link buildNarrow}, `positions`
 * [lanes, kept], sorted, and their `kept_scores` [lanes, 1, kept] where scores add up.
 */
export function buildSelect(shape: CommitShape, scoring: Scoring): Promise<GraphModel> {
  const commit = begin("select", shape);
  const { g } = commit;
  const keys = join(commit, "k");
  const given = addUp(commit, judge(commit, keys, scoring), scoring);
  const scores = poolScores(commit, given, scoring);
  const others = op.TopK(g, scores, g.input("others", "int64", [1])).indices;
  const chosen = op.Concat(g, [others, g.input("window", "int64", ["lanes", "window"])], 1);
  // Positions are exact in float32, the type that every device can sort.
  const sorted = op.Sort(g, op.Cast(g, chosen, "float32"), g.input("count", "int64", [1]));
  const positions = op.Cast(g, sorted, "int64");
  g.output("positions", positions, "int64", ["lanes", "kept"]);
  if (scoring.cumulative) {
    const stays = op.GatherElements(g, given, op.Unsqueeze(g, positions, [1]), 2);
    g.output("kept_scores", stays, "float32", ["lanes", 1, "kept"]);
  }
  const entries = tableEntries(commit, op.Transpose(g, positions, [1, 0]));
  emit(commit, "k", pick(commit, keys, entries));
  emit(commit, "v", pick(commit, join(commit, "v"), entries));
  return g.build();
}

function begin(name: string, shape: CommitShape): Commit {
  return { ...shape, g: new GraphBuilder(`${name} ${shape.storage}`, shape.target), width: shape.heads * shape.dim };
}

/** The scale's own tokens in their stored form. */
function fresh({ g, storage, dim, width }: Commit, name: "k" | "v"): Stored {
  const input = g.input(`new_${name}`, "float32", ["tokens", "rows", width]);
  return narrow(g, storage, input, dim);
}

/** The cached tokens and the scale's own behind them, in their stored form. */
function join(commit: Commit, name: "k" | "v"): Stored {
  const past = storedInput(commit.g, name, commit);
  const own = fresh(commit, name);
  const data = op.Concat(commit.g, [past.data, own.data], 0);
  if (!past.scale || !own.scale) return { data };
  return { data, scale: op.Concat(commit.g, [past.scale, own.scale], 0) };
}

/** Every lane's keys judged by its observers, [lanes, 1, past + tokens]. */
function judge(commit: Commit, keys: Stored, { contribution }: Scoring): Value {
  const { g, storage, dim, width } = commit;
  const byLane = op.Reshape(g, widen(g, storage, keys, dim), [0, -1, dim]);
  const observed = op.Reshape(g, g.input("observed", "float32", ["observers", "rows", width]), [0, -1, dim]);
  const logits = op.MatMul(g, op.Transpose(g, observed, [1, 0, 2]), op.Transpose(g, byLane, [1, 2, 0]));
  const given = contribution === "weight" ? op.Softmax(g, logits) : op.Mul(g, logits, g.scalar(1 / Math.sqrt(dim)));
  return op.ReduceSum(g, given, 1);
}

/** Where scores add up: what keys are given now, and were given before. */
function addUp({ g }: Commit, given: Value, { cumulative }: Scoring): Value {
  if (!cumulative) return given;
  const past = g.input("past_scores", "float32", ["lanes", 1, "past"]);
  const fresh = g.input("new_scores", "float32", ["lanes", 1, "tokens"]);
  return op.Add(g, given, op.Concat(g, [past, fresh], 2));
}

/** Scores [lanes, 1, past + tokens] pooled over neighbours, the window's −∞, [lanes, past + tokens]. */
function poolScores({ g }: Commit, scores: Value, { pooling: { kind, size }, exclusion }: Scoring): Value {
  const excluded = g.input("excluded", "float32", [1, "all"]);
  const rest = exclusion === "before" ? op.Add(g, scores, excluded) : scores;
  const pooled = kind === "max" ? op.MaxPool(g, rest, size) : op.AveragePool(g, rest, size);
  return op.Add(g, op.Squeeze(g, pooled, [1]), excluded);
}

/** With tokens and lanes as rows of one table: the rows of `positions` [kept, lanes]. */
function tableEntries({ g }: Commit, positions: Value): Value {
  const lanes = g.input("lanes", "int64", ["lanes"]);
  return op.Add(g, op.Mul(g, positions, op.Shape(g, lanes)), lanes);
}

/** Copies those rows of the table out. */
function pick({ g, width, dim, heads }: Commit, { data, scale }: Stored, entries: Value): Stored {
  const rows = (table: Value, columns: number): Value => op.Gather(g, op.Reshape(g, table, [-1, columns]), entries);
  const kept = op.Reshape(g, rows(data, dim), [0, -1, width]);
  return scale ? { data: kept, scale: op.Reshape(g, rows(scale, 1), [0, -1, heads]) } : { data: kept };
}

function emit({ g, storage, width, heads }: Commit, name: "k" | "v", { data, scale }: Stored): void {
  g.output(`kept_${name}`, data, STORED_ELEMENT[storage], ["kept", "rows", width]);
  if (scale) g.output(`kept_${name}_scale`, scale, "float32", ["kept", "rows", heads]);
}
