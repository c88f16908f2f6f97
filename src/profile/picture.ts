/**
 * A profile as an SVG picture that needs nothing else: time runs to the right, the upper row holds the stages and the lower
 * one their parts. A part is filled from below as high as the share of its time that it could not do without, so that what
 * stays pale is what could be gained.
 */
import type { GenerationProfile, PartProfile, StageProfile } from "./profile.js";

const WIDTH = 1200;
const MARGIN = 20;
/** Where the title stands, and the totals, which a long title must not push out of the picture. */
const HEADING = { title: 20, totals: 40 };
const STAGE = { top: 50, height: 30 };
const PARTS = { top: 84, height: 120 };
const LEGEND = { top: 230, line: 20, columns: 3 };
/** Pixels that a letter of the labels takes, about. */
const LETTER = 6.5;

/** Colours that differ in lightness too (after Paul Tol's muted scheme), by part; others are grey. */
const COLOURS: Readonly<Record<string, string>> = {
  "text encoder": "#999933",
  conditioning: "#ddcc77",
  embedding: "#661100",
  projections: "#332288",
  attention: "#cc6677",
  text: "#88ccee",
  mlp: "#117733",
  norms: "#882255",
  cache: "#aa4499",
  head: "#44aa99",
  sampling: "#222255",
  codes: "#997700",
  vae: "#4477aa",
};
const OTHER = "#888888";

/** The picture of a profile; `title` is written above it. */
export function profileSvg({ stages, parts, total }: GenerationProfile, title: string): string {
  const scale = (WIDTH - 2 * MARGIN) / total.seconds;
  const boxes: string[] = [];
  let begin = 0;
  for (const stage of stages) {
    boxes.push(...stageBoxes(stage, MARGIN + begin * scale, scale));
    begin += stage.seconds;
  }
  const shown = parts.filter(({ seconds }) => seconds > 0).toSorted((a, b) => b.seconds - a.seconds);
  const height = LEGEND.top + LEGEND.line * Math.ceil(shown.length / LEGEND.columns) + MARGIN;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`;
  const totals = `${shortSeconds(total.seconds)}, at least ${shortSeconds(total.floorSeconds)}`;
  return [
    head,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    text(MARGIN, HEADING.title, title),
    text(MARGIN, HEADING.totals, totals),
    ...boxes,
    ...shown.map((part, i) => legendEntry(part, i, total.seconds)),
    "</svg>\n",
  ].join("\n");
}

function stageBoxes({ name, seconds, parts }: StageProfile, left: number, scale: number): string[] {
  const width = seconds * scale;
  const boxes = [
    `<g><title>${name}: ${shortSeconds(seconds)}</title>${rectangle(left, STAGE, width, "#dddddd")}${label(name, left, width)}</g>`,
  ];
  let at = left;
  for (const part of parts) {
    boxes.push(partBox(part, at, part.seconds * scale));
    at += part.seconds * scale;
  }
  return boxes;
}

/** Pale as a whole, filled from below up to the floor's share. */
function partBox({ name, seconds, floorSeconds }: PartProfile, left: number, width: number): string {
  if (width < 0.05) return "";
  const filled = PARTS.height * Math.min(1, floorSeconds / seconds);
  const colour = COLOURS[name] ?? OTHER;
  const floor = { top: PARTS.top + PARTS.height - filled, height: filled };
  const told = `${name}: ${shortSeconds(seconds)}, at least ${shortSeconds(floorSeconds)}`;
  return `<g><title>${told}</title>${rectangle(left, PARTS, width, colour, 0.3)}${rectangle(left, floor, width, colour)}</g>`;
}

function legendEntry({ name, seconds, floorSeconds }: PartProfile, index: number, all: number): string {
  const x = MARGIN + (index % LEGEND.columns) * ((WIDTH - 2 * MARGIN) / LEGEND.columns);
  const y = LEGEND.top + LEGEND.line * Math.floor(index / LEGEND.columns);
  const share = ((100 * seconds) / all).toFixed(1);
  const words = `${name}: ${shortSeconds(seconds)} (${share} %), at least ${shortSeconds(floorSeconds)}`;
  return `<rect x="${x}" y="${y - 10}" width="12" height="12" fill="${COLOURS[name] ?? OTHER}"/>${text(x + 18, y, words)}`;
}

function rectangle(
  x: number,
  { top, height }: { top: number; height: number },
  width: number,
  fill: string,
  opacity = 1,
): string {
  const place = `x="${fix(x)}" y="${fix(top)}" width="${fix(width)}" height="${fix(height)}"`;
  return `<rect ${place} fill="${fill}" fill-opacity="${opacity}" stroke="white" stroke-width="0.3"/>`;
}

/** The stage's name, where it fits. */
function label(name: string, left: number, width: number): string {
  const short = name.replace("scale ", "");
  const fitting = [name, short].find((words) => words.length * LETTER < width);
  return fitting === undefined ? "" : text(left + 3, STAGE.top + 19, fitting);
}

function text(x: number, y: number, words: string): string {
  return `<text x="${fix(x)}" y="${fix(y)}">${escape(words)}</text>`;
}

/** What a line of text cannot hold and XML for the most part refuses: control characters, halves of pairs, non-characters. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu;

/** A model's name may hold any character. */
function escape(words: string): string {
  const printable = words.replaceAll(UNPRINTABLE, "\uFFFD");
  return printable.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function shortSeconds(seconds: number): string {
  return seconds >= 0.1 || seconds === 0 ? `${seconds.toFixed(2)} s` : `${(1000 * seconds).toPrecision(2)} ms`;
}

function fix(value: number): string {
  return String(Number(value.toFixed(2)));
}
