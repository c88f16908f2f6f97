/** A measure over budget, one line a policy, as an SVG picture: the form of the ScaleKV paper's Figure 7. */
import { variantName, type Contender } from "./contenders.js";
import type { Summary } from "./outcomes.js";

const WIDTH = 720;
const HEIGHT = 420;
/** Room for axes and legend. */
const MARGIN = { left: 60, right: 190, top: 20, bottom: 50 };
/** Colours that differ in lightness too (after Paul Tol's bright scheme). */
const COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#222255", "#cc6677"];

/** What is plotted upwards. */
export interface Measure {
  readonly unit: string;
  /** The value of a contender; NaN leaves it out. */
  readonly valueOf: (summary: Summary) => number;
  /** The full cache's, as a line across; undefined where it has none. */
  readonly fullOf: (summary: Summary) => number | undefined;
}

/** Likeness to the full cache's pictures. */
export const DECIBELS: Measure = { unit: "dB", valueOf: ({ psnr }) => psnr, fullOf: () => undefined };

/** Prompts followed, in per cent. */
export const FOLLOWED: Measure = {
  unit: "%",
  valueOf: ({ following }) => 100 * (following?.share ?? NaN),
  fullOf: ({ following }) => following && 100 * following.full.share,
};

interface Point {
  /** Share of the full cache's bytes. */
  readonly x: number;
  /** In the measure's unit. */
  readonly y: number;
}

interface Line {
  readonly name: string;
  readonly points: readonly Point[];
}

/** The picture; contenders without a value have no point: no decibels where all images equal the full cache's. */
export function plotSvg(contenders: readonly Contender[], summaries: readonly Summary[], measure: Measure): string {
  const lines = linesOf(contenders, summaries, measure);
  const points = lines.flatMap((line) => line.points);
  const full = summaries[0] && measure.fullOf(summaries[0]);
  const axis = axes(points, measure.unit, full);
  const parts = [...axis.marks, ...lines.flatMap((line, i) => drawLine(line, i, axis.place))];
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`;
  return `${[head, `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`, ...parts, "</svg>"].join("\n")}\n`;
}

function linesOf(contenders: readonly Contender[], summaries: readonly Summary[], { valueOf }: Measure): Line[] {
  const found = new Map(summaries.map((summary) => [summary.contender, summary]));
  const lines = new Map<string, Point[]>();
  for (const contender of contenders) {
    const summary = found.get(contender.name);
    const value = summary ? valueOf(summary) : NaN;
    if (!summary || !Number.isFinite(value)) continue;
    const name = variantName(contender) + (contender.storage === "fp32" ? "" : ` ${contender.storage}`);
    lines.set(name, [...(lines.get(name) ?? []), { x: summary.share, y: value }]);
  }
  return [...lines].map(([name, points]) => ({ name, points: points.toSorted((a, b) => a.x - b.x) }));
}

/** Where a point lies, and the marks along both axes. Shares are spaced by their logarithm. */
function axes(
  points: readonly Point[],
  unit: string,
  full: number | undefined,
): { place: (point: Point) => readonly [number, number]; marks: string[] } {
  const xs = points.map(({ x }) => Math.log2(x));
  const ys = [...points.map(({ y }) => y), ...(full === undefined ? [] : [full])];
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [low, high] = [Math.floor(Math.min(...ys)), Math.ceil(Math.max(...ys))];
  const [width, height] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const place = ({ x, y }: Point): readonly [number, number] => [
    MARGIN.left + (right === left ? width / 2 : ((Math.log2(x) - left) / (right - left)) * width),
    MARGIN.top + (high === low ? height / 2 : ((high - y) / (high - low)) * height),
  ];
  const step = Math.max(1, Math.ceil((high - low) / 8));
  const marks: string[] = [];
  for (let y = low; y <= high; y += step) {
    const [, at] = place({ x: 1, y });
    marks.push(across(at, 'stroke="#dddddd"'), text(MARGIN.left - 8, at + 4, `${y} ${unit}`, "end"));
  }
  if (full !== undefined) {
    const [, at] = place({ x: 1, y: full });
    marks.push(across(at, 'stroke="#555555" stroke-dasharray="6 4"'), text(MARGIN.left + 4, at - 4, "full", "start"));
  }
  const shares = [...new Set(points.map(({ x }) => x.toPrecision(2)))].map(Number);
  for (const share of spaced(shares, (x) => place({ x, y: low })[0])) {
    marks.push(text(place({ x: share, y: low })[0], HEIGHT - MARGIN.bottom + 20, `${fix(100 * share)} %`, "middle"));
  }
  marks.push(text(MARGIN.left + width / 2, HEIGHT - 10, "share of the full cache's memory", "middle"));
  return { place, marks };
}

/** A line over the whole width. */
function across(y: number, stroke: string): string {
  return `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${fix(y)}" y2="${fix(y)}" ${stroke}/>`;
}

/** Those that lie far enough apart for their labels. */
function spaced(values: readonly number[], at: (value: number) => number): number[] {
  const kept: number[] = [];
  for (const value of values.toSorted((a, b) => a - b)) {
    if (kept.length === 0 || at(value) - at(kept.at(-1)!) > 40) kept.push(value);
  }
  return kept;
}

function drawLine({ name, points }: Line, index: number, place: (point: Point) => readonly [number, number]): string[] {
  const colour = COLOURS[index % COLOURS.length]!;
  const places = points.map(place);
  const path = places.map(([x, y]) => `${fix(x)},${fix(y)}`).join(" ");
  const y = MARGIN.top + 10 + 18 * index;
  const x = WIDTH - MARGIN.right + 15;
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...places.map(([cx, cy]) => `<circle cx="${fix(cx)}" cy="${fix(cy)}" r="3.5" fill="${colour}"/>`),
    `<line x1="${x}" x2="${x + 20}" y1="${y}" y2="${y}" stroke="${colour}" stroke-width="2"/>`,
    text(x + 26, y + 4, name, "start"),
  ];
}

function text(x: number, y: number, words: string, anchor: "start" | "middle" | "end"): string {
  return `<text x="${fix(x)}" y="${fix(y)}" text-anchor="${anchor}">${words}</text>`;
}

function fix(value: number): string {
  return String(Number(value.toFixed(1)));
}
