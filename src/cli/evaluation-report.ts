/** A comparison of caches as a table, for a terminal and for a document. */
import type { Summary } from "../evaluation/outcomes.js";
import { mebibytes, table } from "./table.js";

const HEADER = ["cache", "tokens", "cache MiB", "of full", "PSNR dB", "SSIM", "equal", "images", "s/image"];

/** For a terminal, ending in a line break. */
export function formatSummaries(summaries: readonly Summary[]): string {
  const alignment = HEADER.map((_, column) => (column === 0 ? "left" : "right"));
  return `${table([HEADER, ...summaries.map(cells)], alignment)}\n`;
}

/** As Markdown. */
export function markdownSummaries(summaries: readonly Summary[]): string {
  const rule = HEADER.map((_, column) => (column === 0 ? "---" : "---:"));
  return [HEADER, rule, ...summaries.map(cells)].map((row) => `| ${row.join(" | ")} |\n`).join("");
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
  ];
}
