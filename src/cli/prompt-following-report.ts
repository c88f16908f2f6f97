/** How well prompts are followed: a table for a terminal and for a document, and everything as JSON. */
import type { Asked } from "../evaluation/prompt-following/asked.js";
import type { Checked } from "../evaluation/prompt-following/checker.js";
import { tally } from "../evaluation/prompt-following/tally.js";
import { intervalOf, percentOf } from "./shares.js";
import { markdownTable, table } from "./table.js";

/** One picture, what its prompt asks, and what came of the check. */
export interface CheckedPicture extends Checked {
  readonly file: string;
  readonly asked: Asked;
}

/** What was checked. */
export interface FollowingReport {
  readonly model: string;
  readonly pictures: readonly CheckedPicture[];
}

/** Heads of the columns of {@link shareRows}. */
export const SHARE_COLUMNS = ["category", "right", "of", "share", "95 % interval", "unclear"];

/** For a terminal, ending in a line break. */
export function followingTable(report: FollowingReport): string {
  const alignment = SHARE_COLUMNS.map((_, column) => (column === 0 ? "left" : "right"));
  return `${table([SHARE_COLUMNS, ...shareRows(report)], alignment)}\n`;
}

/** As Markdown. */
export function followingMarkdown(report: FollowingReport): string {
  return markdownTable([SHARE_COLUMNS, ...shareRows(report)]);
}

/** Shares are 0 to 1. */
export function followingJson({ model, pictures }: FollowingReport): object {
  return { model, categories: tally(pictures), pictures: pictures.map(pictureJson) };
}

function pictureJson({ file, asked: { id, category, prompt }, shown, missing, reading }: CheckedPicture): object {
  return { id, category, prompt, file, shown, missing, ...reading, background: reading.background ?? null };
}

/** One row a category, then that of all. */
export function shareRows({ pictures }: FollowingReport): string[][] {
  return tally(pictures).map(({ category, unclear, ...share }) => {
    return [category, String(share.right), String(share.of), percentOf(share), intervalOf(share), String(unclear)];
  });
}

/** What came of a check, in words: `right`, or what is wrong. */
export function describeVerdict({ missing, reading: { clear } }: CheckedPicture): string {
  const faults = [...(clear ? [] : ["unclear"]), ...(missing.length > 0 ? [`wrong: ${missing.join(", ")}`] : [])];
  return faults.length === 0 ? "right" : faults.join("; ");
}

/** What is seen in a picture, in words: `flat star left of flat sun on yellow`. */
export function describeReading({ reading: { objects, relation, background, clear } }: CheckedPicture): string {
  const seen = objects.map(({ style, name }) => `${style} ${name}`).join(relation === null ? ", " : ` ${relation} `);
  const ground = background === undefined ? "a background without a name" : background.join(" to ");
  return `${clear ? "" : "nearest to "}${seen} on ${ground}`;
}
