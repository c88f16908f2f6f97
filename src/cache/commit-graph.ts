/**
 * What happens to a layer's cache after a scale, as graphs without weights: one serves all layers of a model. The new
 * tokens are narrowed to the stored type, put behind the cached ones, and the tokens that stay are copied out. Keys are
 * judged as they are stored, since that is how attention will read them.
 */
import { GraphBuilder, type Value } from "../graph/builder.js";
import type { GraphModel } from "../graph/model.js";
import * as op from "../graph/ops/index.js";
import { biasByLane, byLane, unitKeys, type Commit, type CommitShape, type JudgedTokens } from "./lanes.js";
import { mergeAway } from "./merge-graph.js";
import type { Scoring } from "./policy.js";
import { narrow, storedInput, type FinePlaces, type Stored } from "./storage-graph.js";
import { FINE_TOKENS, STORED_ELEMENT } from "./storage.js";
import { chooseUnlike } from "./unlike-graph.js";

/**
 * Narrows new tokens to fp16 or int8; fp32 needs no graph, it is stored as it comes. Inputs `new_k`, `new_v`
 * [tokens, rows, C], and for int8 `new_fine` [places, 1, 1, 1], which of them have a second byte. Outputs `kept_k`, `kept_v` in
 * the stored type, for int8 `kept_k_scale`, `kept_v_scale` [tokens, rows, heads] and `kept_k_fine`, `kept_v_fine` [places, rows,
 * C], and where tokens may be merged `kept_k_bias` [tokens, rows, heads].
 */
export function buildNarrow(shape: CommitShape): Promise<GraphModel> {
  const commit = begin("narrow", shape);
  for (const name of ["k", "v"] as const) emit(commit, name, fresh(commit, name));
  return commit.g.build();
}

/**
 * Keeps given positions. Inputs: `past_k`, `past_v` [past, rows, C] as stored (with what belongs to them), `new_k`, `new_v`
 * [tokens, rows, C] and `new_fine` as for {@link buildNarrow}; `positions` [kept, lanes]; `lanes` [lanes], 0, 1, 2 and so on.
 * Outputs as {@link buildNarrow}.
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
 * window and 0 elsewhere; `others` [1], how many more stay (one number a round
 * where there are rounds); `count` [1], how many in all. Where scores add up, also
 * `past_scores` [lanes, 1, past] and `new_scores` [lanes, 1, tokens], zeros. Outputs as {@link buildNarrow}, `positions`
 * [lanes, kept], sorted, and their `kept_scores` [lanes, 1, kept] where scores add up.
 */
export function buildSelect(shape: CommitShape, scoring: Scoring): Promise<GraphModel> {
  const commit = begin("select", shape);
  const { g } = commit;
  const [keys, values] = [join(commit, "k"), join(commit, "v")];
  const given = addUp(commit, judge(commit, keys, scoring), scoring);
  const positions = choose(commit, { keys, scores: given }, scoring);
  g.output("positions", positions, "int64", ["lanes", "kept"]);
  const tokens = { keys, values, scores: given };
  const kept =
    scoring.merge === undefined
      ? copyOut(commit, tokens, positions)
      : mergeAway(commit, tokens, positions, scoring.merge);
  if (scoring.cumulative) g.output("kept_scores", kept.scores, "float32", ["lanes", 1, "kept"]);
  emit(commit, "k", kept.keys);
  emit(commit, "v", kept.values);
  return g.build();
}

/** The sorted positions [lanes, kept] of the window and of the best of the others. */
function choose(commit: Commit, { keys, scores }: Omit<JudgedTokens, "values">, rule: Scoring): Value {
  const { g } = commit;
  const window = g.input("window", "int64", ["lanes", "window"]);
  const others = g.input("others", "int64", [rule.rounds ?? 1]);
  const chosen = rule.rounds
    ? chooseUnlike(
        commit,
        { unit: unitKeys(commit, keys), scores: pool(commit, scores, rule), window, others },
        rule.rounds,
      )
    : op.Concat(g, [chooseBest(commit, scores, others, rule), window], 1);
  // Positions are exact in float32, the type that every device can sort.
  const sorted = op.Sort(g, op.Cast(g, chosen, "float32"), g.input("count", "int64", [1]));
  return op.Cast(g, sorted, "int64");
}

/** The best `others` [1] outside the window. */
function chooseBest(commit: Commit, scores: Value, others: Value, rule: Scoring): Value {
  const { g } = commit;
  const excluded = g.input("excluded", "float32", [1, "all"]);
  const pooled = pool(commit, rule.exclusion === "before" ? op.Add(g, scores, excluded) : scores, rule);
  return op.TopK(g, op.Add(g, pooled, excluded), others).indices;
}

/** Those tokens as they are; the others are dropped. */
function copyOut(commit: Commit, { keys, values, scores }: JudgedTokens, positions: Value): JudgedTokens {
  const { g } = commit;
  const entries = tableEntries(commit, op.Transpose(g, positions, [1, 0]));
  return {
    keys: pick(commit, keys, entries),
    values: pick(commit, values, entries),
    scores: op.GatherElements(g, scores, op.Unsqueeze(g, positions, [1]), 2),
  };
}

function begin(name: string, shape: CommitShape): Commit {
  return { ...shape, g: new GraphBuilder(`${name} ${shape.storage}`, shape.target), width: shape.heads * shape.dim };
}

/** The scale's own tokens in their stored form; each stands for itself alone, ln 1 = 0. */
function fresh(commit: Commit, name: "k" | "v"): Stored {
  const { g, storage, heads, dim, width, merging } = commit;
  const input = g.input(`new_${name}`, "float32", ["tokens", "rows", width]);
  const stored = narrow(g, storage, input, dim, finePlaces(commit));
  if (!merging || name === "v") return stored;
  const tokensAndRows = op.Slice(g, op.Shape(g, input), 0, 0, 2);
  return { ...stored, bias: op.Expand(g, g.scalar(0), op.Concat(g, [tokensAndRows, g.ints([heads])], 0)) };
}

/** Which new tokens have a second byte, for int8; see `fineKnown`. */
function finePlaces({ g, storage }: Commit): FinePlaces | undefined {
  if (storage !== "int8") return undefined;
  const known = g.shared("known", () => g.input("new_fine", "float32", ["places", 1, 1, 1]));
  return { known, count: op.Slice(g, op.Shape(g, known), 0, 0, 1) };
}

/** The cached tokens and the scale's own behind them, in their stored form. */
function join(commit: Commit, name: "k" | "v"): Stored {
  const past = storedInput(commit.g, name, commit);
  const own = fresh(commit, name);
  const both = (a: Value | undefined, b: Value | undefined): Value | undefined =>
    a && b && op.Concat(commit.g, [a, b], 0);
  return {
    data: op.Concat(commit.g, [past.data, own.data], 0),
    scale: both(past.scale, own.scale),
    fine: both(past.fine, own.fine),
    bias: both(past.bias, own.bias),
  };
}

/** Every lane's keys judged by its observers, [lanes, 1, past + tokens]. */
function judge(commit: Commit, keys: Stored, { contribution }: Scoring): Value {
  const { g, dim, width } = commit;
  const observed = byLane(commit, { data: g.input("observed", "float32", ["observers", "rows", width]) }, "fp32");
  const products = op.MatMul(g, observed, op.Transpose(g, byLane(commit, keys), [0, 2, 1]));
  const logits = keys.bias ? op.Add(g, products, op.Transpose(g, biasByLane(commit, keys.bias), [0, 2, 1])) : products;
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

/** Scores [lanes, 1, past + tokens] pooled over neighbours, [lanes, past + tokens]. */
function pool({ g }: Commit, scores: Value, { pooling: { kind, size } }: Scoring): Value {
  return op.Squeeze(g, kind === "max" ? op.MaxPool(g, scores, size) : op.AveragePool(g, scores, size), [1]);
}

/** With tokens and lanes as rows of one table: the rows of `positions` [kept, lanes]. */
function tableEntries({ g }: Commit, positions: Value): Value {
  const lanes = g.input("lanes", "int64", ["lanes"]);
  return op.Add(g, op.Mul(g, positions, op.Shape(g, lanes)), lanes);
}

/** Copies those rows of the table out. */
function pick(commit: Commit, { data, scale, fine, bias }: Stored, entries: Value): Stored {
  const { g, width, dim, heads } = commit;
  const rows = (table: Value, columns: number): Value => op.Gather(g, op.Reshape(g, table, [-1, columns]), entries);
  const byHead = (table: Value): Value => op.Reshape(g, rows(table, 1), [0, -1, heads]);
  return {
    data: op.Reshape(g, rows(data, dim), [0, -1, width]),
    scale: scale && byHead(scale),
    fine: fine && pickFine(commit, fine, op.Slice(g, entries, 0, 0, FINE_TOKENS)),
    bias: bias && byHead(bias),
  };
}

/** The second byte of the first tokens that stay; of those that have none it is 0. */
function pickFine({ g, width, dim }: Commit, fine: Value, entries: Value): Value {
  const none = g.constant("int8", [1, dim], new Int8Array(dim));
  const table = op.Concat(g, [op.Reshape(g, fine, [-1, dim]), none], 0);
  const last = op.Sub(g, op.Slice(g, op.Shape(g, table), 0, 0, 1), g.ints([1]));
  return op.Reshape(g, op.Gather(g, table, op.Min(g, entries, last)), [0, -1, width]);
}

function emit({ g, storage, width, heads }: Commit, name: "k" | "v", { data, scale, fine, bias }: Stored): void {
  g.output(`kept_${name}`, data, STORED_ELEMENT[storage], ["kept", "rows", width]);
  if (scale) g.output(`kept_${name}_scale`, scale, "float32", ["kept", "rows", heads]);
  if (fine) g.output(`kept_${name}_fine`, fine, "int8", ["fine", "rows", width]);
  if (bias) g.output(`kept_${name}_bias`, bias, "float32", ["kept", "rows", heads]);
}
