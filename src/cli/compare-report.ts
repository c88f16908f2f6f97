/** What two caches took and how alike their images are, for a person and as JSON. */
import type { RunReport, StageReport } from "../generate/types.js";
import { describeImage, describeRun, told, type WrittenImage } from "./report.js";
import { mebibytes, percent, table } from "./table.js";

/** One of the two runs. */
export interface ComparedRun {
  readonly images: readonly WrittenImage[];
  readonly report: RunReport;
}

/** How near a compressed image is to the full one. */
export interface Likeness {
  /** Where full | compressed | difference is. */
  readonly file: string;
  /** In dB; `Infinity` for equal images, for which JSON has `null`. */
  readonly psnr: number;
  /** −1 to 1, and 1 for equal images. */
  readonly ssim: number;
}

/** Both runs, and one likeness a prompt. */
export interface Comparison {
  readonly full: ComparedRun;
  readonly compressed: ComparedRun;
  readonly likenesses: readonly Likeness[];
}

/**
 * As JSON: the compressed run as `generate` alone tells it, the full one below `full`, and below `comparison` the mean
 * likeness, how many images it is of, each one's own, and which run was first.
 */
export function comparisonJson({ full, compressed, likenesses }: Comparison): object {
  const order = [compressed.report.policy, full.report.policy];
  return { ...compressed, full, comparison: { ...means(likenesses), images: likenesses, order } };
}

function means(likenesses: readonly Likeness[]): { psnr: number; ssim: number; count: number } {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    psnr: mean(likenesses.map(({ psnr }) => psnr)),
    ssim: mean(likenesses.map(({ ssim }) => ssim)),
    count: likenesses.length,
  };
}

/** The comparison as text, ending in a line break. */
export function formatComparison(comparison: Comparison): string {
  const { full, compressed, likenesses } = comparison;
  const images = compressed.images.flatMap((image, i) => [image, full.images[i]!].map(describeImage));
  const parts = [
    `${describeRun(compressed.report)}\nbeside the full cache, everything else the same`,
    stageTable(full.report, compressed.report),
    totals(full.report, compressed.report),
    likenessTable(likenesses),
    images.join("\n"),
    order(compressed.report),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** Both runs go through the same stages: they share schedule and previews. */
function stageTable(full: RunReport, compressed: RunReport): string {
  const { policy } = compressed;
  const rows = [
    ["stage", "map", "full s", `${policy} s`, "full MiB", `${policy} MiB`],
    ...full.stages.map((stage, i) => stageRow(stage, compressed.stages[i]!)),
    ["total", "", full.seconds.toFixed(2), compressed.seconds.toFixed(2)],
  ];
  return table(rows, ["left", "right", "right", "right", "right", "right"]);
}

/** The map is written width first, as images are. */
function stageRow(full: StageReport, compressed: StageReport): string[] {
  const { name, map } = full;
  const both = [full, compressed];
  return [
    name,
    map ? `${map.width}x${map.height}` : "",
    ...both.map(({ seconds }) => seconds.toFixed(2)),
    ...both.map(({ cacheBytes }) => mebibytes(cacheBytes)),
  ];
}

/** A share is the compressed cache's of the full one's. */
function totals(full: RunReport, compressed: RunReport): string {
  const both = [full, compressed];
  const bytes = (read: (report: RunReport) => number | undefined): string[] => both.map((report) => told(read(report)));
  const ofFull = (read: (report: RunReport) => number): string =>
    `${percent(read(compressed), read(full))} of the full`;
  const peak = ({ cache }: RunReport): number => cache.peakBytes;
  const rows = [
    ["", "full", compressed.policy],
    ["cache", ...bytes(peak), `MiB at most, ${ofFull(peak)}`],
    ["", ...bytes(({ cache }) => cache.duringBytes), "MiB with the new tokens of the layer at work"],
    ["weights", ...bytes(({ weightsBytes }) => weightsBytes), "MiB in memory at most"],
    ["working", ...bytes(({ workingBytes }) => workingBytes), "MiB at most, what a layer takes besides"],
    ["process", ...bytes(({ process }) => process?.peakBytes), "MiB at most, as the operating system counts"],
    ["scales", ...both.map((report) => scaleSeconds(report).toFixed(2)), `seconds, ${ofFull(scaleSeconds)}`],
  ];
  return table(rows, ["left", "right", "right", "left"]);
}

/** The part of the time that a cache has a hand in. */
function scaleSeconds({ stages }: RunReport): number {
  return stages.reduce((sum, { map, seconds }) => (map ? sum + seconds : sum), 0);
}

function likenessTable(likenesses: readonly Likeness[]): string {
  const row = (name: string, { psnr, ssim }: Omit<Likeness, "file">): string[] => [
    name,
    psnr === Infinity ? "equal" : psnr.toFixed(2),
    ssim.toFixed(4),
  ];
  const rows = [
    ["full | compressed | difference", "PSNR dB", "SSIM"],
    ...likenesses.map((likeness) => row(likeness.file, likeness)),
    ...(likenesses.length > 1 ? [row("mean", means(likenesses))] : []),
  ];
  return table(rows, ["left", "right", "right"]);
}

/** What the order of the runs does to their numbers. */
function order({ policy }: RunReport): string {
  return `${policy} ran first: its process peak is its own and its time has what a first run loads; full's peak is that of both.`;
}
