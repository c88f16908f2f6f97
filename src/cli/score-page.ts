/**
 * The page of `score --out`: the scores, the worst pairs side by side with where they differ, and every pair's values. One
 * file without scripts; its pictures are small copies inside of it, so it can be sent around.
 */
import { DEFAULT_GAIN, differencePicture } from "../metrics/difference.js";
import type { RgbImage } from "../metrics/image.js";
import { readPicture, type PairFiles } from "../metrics/pairs.js";
import { PAIR_METRICS, type PairScore } from "../metrics/score.js";
import { escapeHtml, htmlPage } from "./html.js";
import { writeReport } from "./image-file.js";
import {
  describeMetric,
  FOLLOWING_COLUMNS,
  followingRows,
  formatMetric,
  measuredMetrics,
  metricTitle,
  rankingMetric,
  worstFirst,
  type ScoreReport,
} from "./score-report.js";

/** Pairs shown as pictures: at 20 KB a picture the page has 6 MB. */
const PICTURED = 100;

/** Longer side of the small copies, in pixels; shown at half of it they are sharp on a dense screen. */
const SIDE = 512;
const QUALITY = 80;

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.9rem 0.2rem 0; text-align: right; }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; }
thead th { border-bottom: 1px solid color-mix(in srgb, currentColor 35%, transparent); font-weight: 600; }
figure { margin: 0 0 1.5rem; }
.pictures { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0.5rem; }
.pictures img { width: 100%; height: auto; display: block; }
figcaption { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.note { opacity: 0.7; }`;

/** Writes the page; pictures are read again, those of the worst pairs only. */
export async function writeScorePage(file: string, report: ScoreReport, files: readonly PairFiles[]): Promise<void> {
  const places = new Map(files.map((pair) => [pair.name, pair]));
  const figures: string[] = [];
  for (const pair of worstFirst(report).slice(0, PICTURED)) figures.push(await figure(pair, places.get(pair.name)!));
  await writeReport(file, page(report, figures));
}

function page(report: ScoreReport, figures: readonly string[]): string {
  const { a, b, scores } = report;
  const title = `${escapeHtml(a)} | ${escapeHtml(b)}`;
  const metric = rankingMetric(scores);
  const order = metric ? `worst ${metricTitle(metric).split(" ")[0]!} first` : "by name";
  return htmlPage(title, STYLE, [
    totals(report),
    ...(report.following ? [htmlTable(FOLLOWING_COLUMNS, followingRows(report.following))] : []),
    `<h2>${figures.length} of ${scores.count} pairs, ${order}</h2>`,
    `<p class="note">A, B, and their difference ${DEFAULT_GAIN} times as strong, in copies of at most ${SIDE} pixels a side.</p>`,
    ...figures,
    "<h2>All pairs</h2>",
    valueTable(report),
  ]);
}

function totals({ scores }: ScoreReport): string {
  const rows = measuredMetrics(scores).map((metric) => [metricTitle(metric), formatMetric(metric, scores[metric]!)]);
  const equal = scores.equal ? [["equal pairs, not in the mean of PSNR", String(scores.equal)]] : [];
  return htmlTable(["metric", "value"], [...rows, ["pairs", String(scores.count)], ...equal]);
}

function valueTable(report: ScoreReport): string {
  const metrics = PAIR_METRICS.filter((metric) => report.scores[metric] !== undefined);
  const rows = worstFirst(report).map((pair) => [pair.name, ...values(pair)]);
  return htmlTable(["pair", ...metrics.map(metricTitle)], rows);
}

function values(pair: PairScore): string[] {
  return PAIR_METRICS.flatMap((metric) => (pair[metric] === undefined ? [] : [formatMetric(metric, pair[metric])]));
}

function htmlTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join("")}</tr>`;
  return `<table><thead>${cells("th", head)}</thead><tbody>\n${rows.map((row) => cells("td", row)).join("\n")}\n</tbody></table>`;
}

async function figure(pair: PairScore, files: PairFiles): Promise<string> {
  const [a, b] = [await readPicture(files.a), await readPicture(files.b)];
  // Pictures of different sizes have been measured for the folders' distances alone.
  const comparable = a.width === b.width && a.height === b.height;
  const pictures = [a, b, ...(comparable ? [differencePicture(a, b)] : [])];
  const images = await Promise.all(pictures.map(smallCopy));
  const measured = PAIR_METRICS.flatMap((metric) =>
    pair[metric] === undefined ? [] : [describeMetric(metric, pair[metric])],
  );
  const caption = [pair.name, ...measured].map(escapeHtml).join(" · ");
  return `<figure><div class="pictures">${images.join("")}</div><figcaption>${caption}</figcaption></figure>`;
}

/** An `img` that carries its picture. */
async function smallCopy({ width, height, data }: RgbImage): Promise<string> {
  const { default: sharp } = await import("sharp");
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const bytes = await image
    .resize(SIDE, SIDE, { fit: "inside", withoutEnlargement: true })
    .jpeg({ quality: QUALITY })
    .toBuffer();
  return `<img loading="lazy" alt="" src="data:image/jpeg;base64,${bytes.toString("base64")}">`;
}
