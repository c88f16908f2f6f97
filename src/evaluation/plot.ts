/** PSNR over budget, one line a policy, as an SVG picture: the form of the ScaleKV paper's Figure 7. */
import { variantName, type Contender } from "./contenders.js";
import type { Summary } from "./outcomes.js";

const WIDTH = 720;
const HEIGHT = 420;
/** Room for axes and legend. */
const MARGIN = { left: 60, right: 190, top: 20, bottom: 50 };
/** Colours that differ in lightness too (after Paul Tol's bright scheme). */
const COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#222255", "#cc6677"];

interface Point {
  /** Share of the full cache's bytes. */
  readonly x: number;
  /** dB. */
  readonly y: number;
}

interface Line {
  readonly name: string;
  readonly points: readonly Point[];
}

/** The picture; contenders whose images all equal the full cache's have no point. */
export function plotSvg(contenders: readonly Contender[], summaries: readonly Summary[]): string {
  const lines = linesOf(contenders, summaries);
  const points = lines.flatMap((line) => line.points);
  const axis = axes(points);
  const parts = [...axis.marks, ...lines.flatMap((line, i) => drawLine(line, i, axis.place))];
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`;
  return `${[head, `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`, ...parts, "</svg>"].join("\n")}\n`;
}

function linesOf(contenders: readonly Contender[], summaries: readonly Summary[]): Line[] {
  const found = new Map(summaries.map((summary) => [summary.contender, summary]));
  const lines = new Map<string, Point[]>();
  for (const contender of contenders) {
    const { share, psnr } = found.get(contender.name) ?? { share: NaN, psnr: NaN };
    if (!Number.isFinite(psnr)) continue;
    const name = variantName(contender) + (contender.storage === "fp32" ? "" : ` ${contender.storage}`);
    lines.set(name, [...(lines.get(name) ?? []), { x: share, y: psnr }]);
  }
  return [...lines].map(([name, points]) => ({ name, points: points.toSorted((a, b) => a.x - b.x) }));
}

/** Where a point lies, and the marks along both axes. Shares are spaced by their logarithm. */
function axes(points: readonly Point[]): { place: (point: Point) => readonly [number, number]; marks: string[] } {
  const [xs, ys] = [points.map(({ x }) => Math.log2(x)), points.map(({ y }) => y)];
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
    marks.push(
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${fix(at)}" y2="${fix(at)}" stroke="#dddddd"/>`,
    );
    marks.push(text(MARGIN.left - 8, at + 4, `${y} dB`, "end"));
  }
  const shares = [...new Set(points.map(({ x }) => x.toPrecision(2)))].map(Number);
  for (const share of spaced(shares, (x) => place({ x, y: low })[0])) {
    marks.push(text(place({ x: share, y: low })[0], HEIGHT - MARGIN.bottom + 20, `${fix(100 * share)} %`, "middle"));
  }
  marks.push(text(MARGIN.left + width / 2, HEIGHT - 10, "share of the full cache's memory", "middle"));
  return { place, marks };
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
