/** What was measured of two folders, for a person and as JSON. */
import type { FollowedPairs } from "../evaluation/followed-pairs.js";
import { PAIR_METRICS, type Metric, type PairMetric, type PairScore, type Scores } from "../metrics/score.js";
import { differenceOf, intervalOf, percentOf } from "./shares.js";
import { table } from "./table.js";

/** Two folders and what was measured of them. */
export interface ScoreReport {
  readonly a: string;
  readonly b: string;
  readonly scores: Scores;
  /** In the order of their names. */
  readonly pairs: readonly PairScore[];
  readonly seconds: number;
  /** Where the prompts are known. */
  readonly following?: FollowedPairs | undefined;
}

/** What people call a metric, and how many digits of it are shown. */
const SHOWN: Readonly<Record<Metric, { readonly title: string; readonly digits: number; readonly unit: string }>> = {
  psnr: { title: "PSNR", digits: 2, unit: "dB" },
  ssim: { title: "SSIM", digits: 4, unit: "" },
  lpips: { title: "LPIPS", digits: 4, unit: "" },
  fid: { title: "FID", digits: 3, unit: "" },
  kid: { title: "KID", digits: 6, unit: "" },
};

/** Pairs that a terminal is shown. */
const WORST_SHOWN = 5;

/**
 * As JSON: the metrics by their names, the number of pairs, what they are of, and how prompts are followed if that was checked;
 * infinite decibels become null.
 */
export function scoreJson({ a, b, scores, seconds, following }: ScoreReport): object {
  return { ...scores, a, b, seconds: Number(seconds.toFixed(3)), ...(following ? { following } : {}) };
}

/** The metrics that were measured, in their usual order. */
export function measuredMetrics(scores: Partial<Readonly<Record<Metric, number>>>): Metric[] {
  return (Object.keys(SHOWN) as Metric[]).filter((metric) => scores[metric] !== undefined);
}

/** `PSNR`, as a head of a table; with its unit where it has one. */
export function metricTitle(metric: Metric): string {
  const { title, unit } = SHOWN[metric];
  return unit === "" ? title : `${title} ${unit}`;
}

/** `PSNR 22.64 dB`, in running text. */
export function describeMetric(metric: Metric, value: number): string {
  const { title, unit } = SHOWN[metric];
  return [title, formatMetric(metric, value), ...(unit === "" || value === Infinity ? [] : [unit])].join(" ");
}

/** A value in its usual number of digits. */
export function formatMetric(metric: Metric, value: number): string {
  return value === Infinity ? "equal" : value.toFixed(SHOWN[metric].digits);
}

/** The metric that pairs are ordered by: what is nearest to the eye of what was measured. None, if only folders were. */
export function rankingMetric(scores: Scores): PairMetric | undefined {
  return (["lpips", "ssim", "psnr"] as const).find((metric) => scores[metric] !== undefined);
}

/** Pairs from the least alike to the most alike, by {@link rankingMetric}; as they are where there is none. */
export function worstFirst({ scores, pairs }: Pick<ScoreReport, "scores" | "pairs">): PairScore[] {
  const metric = rankingMetric(scores);
  if (!metric) return [...pairs];
  const likeness = (pair: PairScore): number => (metric === "lpips" ? -1 : 1) * (pair[metric] ?? 0);
  // Two infinite values would have a difference that is no number.
  return pairs.toSorted((x, y) => (likeness(x) === likeness(y) ? 0 : likeness(x) - likeness(y)));
}

/** The scores as text, ending in a line break; `page` is where the pairs can be seen. */
export function formatScore(report: ScoreReport, page?: string): string {
  const { a, b, scores, seconds } = report;
  const parts = [
    `${a} | ${b}: ${pairCount(scores.count)} in ${seconds.toFixed(1)} s`,
    scoreTable(scores),
    ...followingTable(report),
    ...worstTable(report),
    ...(page === undefined ? [] : [page]),
  ];
  return `${parts.join("\n\n")}\n`;
}

function pairCount(count: number): string {
  return count === 1 ? "1 pair" : `${count} pairs`;
}

function scoreTable(scores: Scores): string {
  const rows = measuredMetrics(scores).map((metric) => [
    metricTitle(metric),
    formatMetric(metric, scores[metric]!),
    metric === "psnr" ? equalPairs(scores) : "",
  ]);
  return table(rows, ["left", "right", "left"]);
}

/** Equal pairs have no finite PSNR. */
function equalPairs({ equal = 0, count }: Scores): string {
  if (equal === 0) return "";
  return equal === count ? "" : `mean of ${pairCount(count - equal)}; ${equal} equal`;
}

/** Heads of the columns of {@link followingRows}. */
export const FOLLOWING_COLUMNS = [
  "prompts followed",
  "of",
  "A",
  "95 % interval",
  "B",
  "95 % interval",
  "B − A, points",
];

/** One row a category, then that of all, which alone has the difference. */
export function followingRows({ categories, ...difference }: FollowedPairs): string[][] {
  return categories.map(({ category, a, b }, i) => {
    const shares = [a, b].flatMap((share) => [percentOf(share), intervalOf(share)]);
    return [category, String(a.of), ...shares, ...(i === categories.length - 1 ? [differenceOf(difference)] : [])];
  });
}

function followingTable({ following }: ScoreReport): string[] {
  if (!following) return [];
  const alignment = FOLLOWING_COLUMNS.map((_, column) => (column === 0 ? "left" : "right"));
  return [table([FOLLOWING_COLUMNS, ...followingRows(following)], alignment)];
}

function worstTable(report: ScoreReport): string[] {
  const metrics = PAIR_METRICS.filter((metric) => report.scores[metric] !== undefined);
  if (metrics.length === 0) return [];
  const rows = worstFirst(report)
    .slice(0, WORST_SHOWN)
    .map((pair) => [pair.name, ...metrics.map((metric) => formatMetric(metric, pair[metric]!))]);
  return [
    table([["worst first", ...metrics.map(metricTitle)], ...rows], ["left", ...metrics.map(() => "right" as const)]),
  ];
}
