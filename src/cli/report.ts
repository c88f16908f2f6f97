/** What a generation took, for a person: one table of stages, and the totals. */
import type { DrawnImage, RunReport, StageReport } from "../generate/types.js";
import { mebibytes, percent, table } from "./table.js";

/** An image that lies on disk. */
export interface WrittenImage {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly prompt: string;
  readonly seed: number;
}

/** An image without its levels, with the file they went to. */
export function written(file: string, { width, height, prompt, seed }: DrawnImage): WrittenImage {
  return { file, width, height, prompt, seed };
}

/** The report as text, ending in a line break. */
export function formatReport(images: readonly WrittenImage[], report: RunReport): string {
  const lines = [describeRun(report), "", stageTable(report), "", totals(report), "", ...images.map(describeImage)];
  return `${lines.join("\n")}\n`;
}

/** What was drawn with what, in one line. */
export function describeRun(report: RunReport): string {
  const { model, device, policy, budget, roles, storage, weights, images, schedule, tokens } = report;
  const source = roles === undefined ? "" : `, roles: ${roles}`;
  const kept = budget === undefined ? policy : `${policy} (${budget} tokens a layer${source})`;
  const count = images === 1 ? "1 image" : `${images} images`;
  const held = weights === "fp32" ? "" : ` in ${weights}`;
  return `${model}${held} on ${device}, ${kept} cache in ${storage}: ${count}, ${schedule.length} scales, ${tokens} tokens each`;
}

function stageTable({ stages, seconds }: RunReport): string {
  const rows = [
    ["stage", "map", "seconds", "cache MiB", "resident MiB"],
    ...stages.map(stageRow),
    ["total", "", seconds.toFixed(2)],
  ];
  return table(rows, ["left", "right", "right", "right", "right"]);
}

/** The map is written width first, as images are. */
function stageRow({ name, map, seconds, cacheBytes, residentBytes }: StageReport): string[] {
  const size = map ? `${map.width}x${map.height}` : "";
  return [name, size, seconds.toFixed(2), mebibytes(cacheBytes), told(residentBytes)];
}

/** Bytes as MiB; nothing, where the system tells nothing. */
export function told(bytes: number | undefined): string {
  return bytes === undefined ? "" : mebibytes(bytes);
}

function totals({ cache, weightsBytes, workingBytes, process }: RunReport): string {
  const rows = [
    [
      "cache",
      mebibytes(cache.peakBytes),
      `MiB at most, ${percent(cache.peakBytes, cache.fullBytes)} of the full ${mebibytes(cache.fullBytes)}`,
    ],
    ["", mebibytes(cache.duringBytes), "MiB with the new tokens of the layer at work"],
    ["", mebibytes(cache.publishedBytes), "MiB the published code would hold without a policy"],
    ["weights", mebibytes(weightsBytes), "MiB in memory at most"],
    ...optional("working", workingBytes, "MiB at most, what a layer takes beside its weights and the cache"),
    ...optional("process", process?.peakBytes, "MiB at most, as the operating system counts"),
    ...optional("", process?.accountedBytes, "MiB accounted for: before the scales, the cache, and a layer at work"),
  ];
  return table(rows, ["left", "right", "left"]);
}

/** A row for a figure that may be missing. */
function optional(name: string, bytes: number | undefined, meaning: string): string[][] {
  return bytes === undefined ? [] : [[name, mebibytes(bytes), meaning]];
}

/** Where an image is, its size and seed. */
export function describeImage({ file, width, height, seed }: WrittenImage): string {
  return `${file}  ${width}x${height}, seed ${seed}`;
}
