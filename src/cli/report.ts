/** What a generation took, for a person: one table of stages and three lines of totals. */
import type { DrawnImage, RunReport, StageReport } from "../generate/types.js";
import { mebibytes, table } from "./table.js";

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
  const lines = [heading(report), "", stageTable(report), "", totals(report), "", ...images.map(describe)];
  return `${lines.join("\n")}\n`;
}

function heading({ model, device, policy, budget, storage, images, schedule, tokens }: RunReport): string {
  const kept = budget === undefined ? policy : `${policy} (${budget} tokens a layer)`;
  const count = images === 1 ? "1 image" : `${images} images`;
  return `${model} on ${device}, ${kept} cache in ${storage}: ${count}, ${schedule.length} scales, ${tokens} tokens each`;
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

/** Nothing, where the system tells nothing. */
function told(bytes: number | undefined): string {
  return bytes === undefined ? "" : mebibytes(bytes);
}

function totals({ cache, weightsBytes, process }: RunReport): string {
  const share = cache.fullBytes === 0 ? 0 : (100 * cache.peakBytes) / cache.fullBytes;
  const rows = [
    [
      "cache",
      mebibytes(cache.peakBytes),
      `MiB at most, ${share.toFixed(1)} % of the full ${mebibytes(cache.fullBytes)}`,
    ],
    ["", mebibytes(cache.duringBytes), "MiB with the new tokens of the layer at work"],
    ["", mebibytes(cache.publishedBytes), "MiB the published code would hold without a policy"],
    ["weights", mebibytes(weightsBytes), "MiB in memory at most"],
    ...(process ? [["process", mebibytes(process.peakBytes), "MiB at most, as the operating system counts"]] : []),
  ];
  return table(rows, ["left", "right", "left"]);
}

function describe({ file, width, height, seed }: WrittenImage): string {
  return `${file}  ${width}x${height}, seed ${seed}`;
}
