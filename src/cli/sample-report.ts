/** What came of a run, for a person. */
import type { MergeReport } from "../sampling/merge.js";
import type { SampleReport } from "../sampling/sample.js";
import type { Verification } from "../sampling/verify.js";
import { duration } from "./progress.js";
import { mebibytes } from "./table.js";

/** Failures that are printed; all of them are in the file. */
const MOST_FAILURES = 10;

/** `OUT: 28 pictures drawn, 12 were there, 0 failed`, then time and memory, then failures. */
export function formatSample(report: SampleReport): string {
  const { place, drawn, skipped, failed, seconds, perSecond, peakBytes, cacheBytes } = report;
  const speed = `${duration(seconds)}, ${perSecond.toPrecision(2)} pictures/s`;
  const memory = `${mebibytes(peakBytes)} MiB at most in one process, cache ${mebibytes(cacheBytes)} MiB an image`;
  const lines = [
    `${place}: ${drawn} pictures drawn, ${skipped} were there, ${failed.length} failed`,
    ...(drawn > 0 ? [`${speed}; ${memory}`] : []),
    ...failed
      .slice(0, MOST_FAILURES)
      .map(({ file, attempts, message }) => `${file}: failed after ${attempts} attempts: ${message}`),
    ...(failed.length > MOST_FAILURES ? [`and ${failed.length - MOST_FAILURES} more, in records/`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** One line a problem, and a last one that sums up. */
export function formatVerification({ place, total, done, problems }: Verification): string {
  const lines = problems.map(({ path, problem }) => `${path}: ${problem}`);
  const found = problems.length === 0 ? "nothing amiss" : `${problems.length} problems`;
  return [...lines, `${place}: ${done} of ${total} pictures, ${found}`, ""].join("\n");
}

/** One line for every picture that could not be taken over, and a last one that sums up. */
export function formatMerge({ place, total, copied, skipped, missing, damaged }: MergeReport): string {
  const lines = damaged.map((path) => `${path}: not what its record says, not copied`);
  const sum = `${place}: ${copied} pictures copied, ${skipped} were there, ${missing} of ${total} are missing`;
  return [...lines, sum, ""].join("\n");
}
