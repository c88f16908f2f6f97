/** A comparison of caches as a table, for a terminal and for a document. */
import type { Summary } from "../evaluation/outcomes.js";
import { differenceOf, intervalOf, percentOf } from "./shares.js";
import { markdownTable, mebibytes, table } from "./table.js";

const HEADER = ["cache", "tokens", "cache MiB", "of full", "PSNR dB", "SSIM", "equal", "images", "s/image"];
/** Beside them, where pictures were checked: the share of prompts followed, and that less the full cache's. */
const FOLLOWING = ["prompts followed", "less full's"];

/** For a terminal, ending in a line break. */
export function formatSummaries(summaries: readonly Summary[]): string {
  const rows = rowsOf(summaries);
  const alignment = rows[0]!.map((_, column) => (column === 0 ? "left" : "right"));
  return `${[table(rows, alignment), ...fullLine(summaries)].join("\n\n")}\n`;
}

/** As Markdown. */
export function markdownSummaries(summaries: readonly Summary[]): string {
  return [markdownTable(rowsOf(summaries)), ...fullLine(summaries).map((line) => `${line}\n`)].join("\n");
}

function rowsOf(summaries: readonly Summary[]): string[][] {
  const header = summaries.some(({ following }) => following) ? [...HEADER, ...FOLLOWING] : HEADER;
  return [header, ...summaries.map(cells)];
}

/** What the full cache's pictures follow: every line of the table is compared with it. */
function fullLine(summaries: readonly Summary[]): string[] {
  const full = summaries[0]?.following?.full;
  return full
    ? [`full cache: ${full.right} of ${full.of} prompts followed, ${percentOf(full)} (${intervalOf(full)})`]
    : [];
}

function cells(summary: Summary): string[] {
  const { contender, tokens, cacheBytes, share, psnr, psnrError, ssim, equal, images, seconds } = summary;
  const decibels = Number.isFinite(psnr) ? `${psnr.toFixed(2)} ± ${psnrError.toFixed(2)}` : "equal";
  return [
    contender,
    String(tokens),
    mebibytes(cacheBytes),
    `${(100 * share).toFixed(1)} %`,
    decibels,
    ssim.toFixed(4),
    String(equal),
    String(images),
    seconds.toFixed(2),
    ...followingCells(summary),
  ];
}

function followingCells({ following }: Summary): string[] {
  if (!following) return [];
  return [`${percentOf(following)} (${intervalOf(following)})`, differenceOf(following)];
}
