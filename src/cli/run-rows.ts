/** Runs side by side as rows of text, a column a run: what the page shows and what the terminal prints. */
import { basename } from "node:path";
import type { RunOverview } from "../sampling/overview.js";
import { flatten } from "../sampling/settings.js";
import type { Likeness } from "./run-pairs.js";
import { formatMetric } from "./score-report.js";
import { mebibytes } from "./table.js";

/** A run, and how near it is to the full cache's where that run is among those reported. */
export interface ReportedRun {
  readonly overview: RunOverview;
  readonly likeness: Likeness | undefined;
}

/** A line of a table: one text a run. */
export interface Row {
  readonly name: string;
  readonly cells: readonly string[];
}

/** Where a run has no such value. */
const NONE = "–";

/** Digits of a hash that a person compares. */
const HASH_DIGITS = 12;

/** Short names for runs: the last parts of their places where those differ, the whole places otherwise. */
export function runNames(runs: readonly ReportedRun[]): string[] {
  const places = runs.map(({ overview }) => overview.store.place);
  const last = places.map((place) => basename(place));
  return new Set(last).size === last.length ? last : places;
}

/** Completeness, memory, speed and likeness. */
export function outcomeRows(runs: readonly ReportedRun[]): Row[] {
  const row = (name: string, of: (run: ReportedRun) => string | undefined): Row => ({
    name,
    cells: runs.map((run) => of(run) ?? NONE),
  });
  const rows = [
    row("pictures done", ({ overview: { complete } }) => `${complete.done} of ${complete.total}`),
    row("missing", ({ overview }) => String(overview.complete.missing)),
    row("failed", ({ overview }) => String(overview.complete.failed)),
    row("damaged", ({ overview }) => String(overview.complete.damaged)),
    row("cache MiB an image, mean", ({ overview: { cost } }) => cost && mebibytes(cost.cacheMeanBytes)),
    row("cache MiB an image, peak", ({ overview: { cost } }) => cost && mebibytes(cost.cachePeakBytes)),
    row("process MiB, peak", ({ overview: { cost } }) => cost && mebibytes(cost.processPeakBytes)),
    row("seconds an image", ({ overview: { cost } }) => cost?.secondsPerImage.toFixed(2)),
    row("images a second", ({ overview: { cost } }) => cost?.imagesPerSecond.toPrecision(3)),
  ];
  return runs.some(({ likeness }) => likeness)
    ? [
        ...rows,
        row("PSNR dB", ({ likeness }) => likeness && formatMetric("psnr", likeness.scores.psnr!)),
        row("SSIM", ({ likeness }) => likeness && formatMetric("ssim", likeness.scores.ssim!)),
        row("pairs", ({ likeness }) => likeness && String(likeness.scores.count)),
        row("equal pairs, not in PSNR", ({ likeness }) => likeness && String(likeness.scores.equal)),
      ]
    : rows;
}

/** Everything that changes a pixel, by name, with the prompts and where the model was found. */
export function settingRows(runs: readonly ReportedRun[]): Row[] {
  const columns = runs.map(({ overview }) => {
    const { settings, tasks, model } = overview.run.manifest;
    return new Map([...flatten(settings), ...flatten({ prompts: tasks.sha256, "model as named": model.name })]);
  });
  const names = [...new Set(columns.flatMap((column) => [...column.keys()]))].sort();
  return names.map((name) => ({ name, cells: columns.map((column) => readable(column.get(name))) }));
}

/** Whether the runs disagree in a row. */
export function differs({ cells }: Row): boolean {
  return cells.some((cell) => cell !== cells[0]);
}

/** A setting's canonical JSON for a person: texts without their quotes, hashes by their first digits. */
function readable(json: string | undefined): string {
  if (json === undefined) return NONE;
  const value: unknown = JSON.parse(json);
  if (typeof value !== "string") return json;
  return /^[0-9a-f]{64}$/.test(value) ? `${value.slice(0, HASH_DIGITS)}…` : value;
}
