/**
 * The page of `report`: what was drawn with what, what it took, and the same prompts side by side, a column a run. One
 * file without scripts; its pictures are small copies inside of it, so its size follows from their number alone.
 */
import type { Budget } from "../budget/budget.js";
import type { Scores } from "../budget/selectivity.js";
import type { RgbImage } from "../metrics/image.js";
import { escapeHtml } from "./html.js";
import type { GridRow } from "./run-grid.js";
import { readRunPicture } from "./run-pairs.js";
import { differs, outcomeRows, runNames, settingRows, type ReportedRun, type Row } from "./run-rows.js";
import { scoreImage, scoreTable } from "./score-picture.js";
import { describeMetric } from "./score-report.js";

/** Longer side of the small copies, in pixels, and their quality: 15 to 30 KB a picture. */
const SIDE = 384;
const QUALITY = 75;

/** Failures of a run that are shown; all of them are in its folder. */
const MOST_FAILURES = 10;

/** Prompts may come from anybody: whatever they hold, the page runs nothing and fetches nothing. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 1.2rem 0.2rem 0; text-align: right; overflow-wrap: anywhere; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 1px solid color-mix(in srgb, currentColor 35%, transparent); font-weight: 600; }
.differs { background: color-mix(in srgb, #e0a020 22%, transparent); font-weight: 600; }
figure { margin: 0 0 1.5rem; overflow-wrap: anywhere; }
.pictures { display: grid; gap: 0.5rem; }
.pictures img { width: 100%; height: auto; display: block; }
.pictures small, .note { opacity: 0.7; }
.map { image-rendering: pixelated; max-width: 100%; }
pre { overflow-x: auto; line-height: 1.2; }`;

/** The page. Pictures of `rows` are read from their stores one after the other. */
export async function runPage(runs: readonly ReportedRun[], rows: readonly GridRow[]): Promise<string> {
  const names = runNames(runs);
  const title = names.map(escapeHtml).join(" | ");
  const parts = [
    table(names, outcomeRows(runs)),
    likenessNote(runs),
    ...runs.map(failures),
    "<h2>Settings</h2>",
    runs.length > 1 ? '<p class="note">Marked: what differs between the runs.</p>' : "",
    table(names, settingRows(runs), "differs"),
    await maps(names, runs),
    await grid(names, runs, rows),
  ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>${STYLE}
</style>
<h1>${title}</h1>
${parts.filter(Boolean).join("\n")}
</html>
`;
}

/** A column a run; rows in which runs disagree get the class `marked`, where there is one. */
function table(names: readonly string[], rows: readonly Row[], marked?: string): string {
  const line = (tag: string, [first = "", ...cells]: readonly string[], open = "<tr>"): string =>
    `${open}${[first, ...cells].map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join("")}</tr>`;
  const body = rows.map((row) =>
    marked !== undefined && differs(row)
      ? line("td", [`${row.name} ≠`, ...row.cells], `<tr class="${marked}">`)
      : line("td", [row.name, ...row.cells]),
  );
  return `<div class="wide"><table><thead>${line("th", ["", ...names])}</thead><tbody>\n${body.join("\n")}\n</tbody></table></div>`;
}

function likenessNote(runs: readonly ReportedRun[]): string {
  const against = [...new Set(runs.flatMap(({ likeness }) => likeness?.against ?? []))];
  if (against.length === 0) return "";
  const places = against.map(escapeHtml).join(", ");
  return `<p class="note">PSNR and SSIM beside the full cache in fp32, which differs in nothing else: ${places}</p>`;
}

function failures({ overview: { store, failures: all } }: ReportedRun): string {
  if (all.length === 0) return "";
  const shown = all.slice(0, MOST_FAILURES).map(({ file, attempts, message }) => {
    return `<li>${escapeHtml(`${file}: failed after ${attempts} attempts: ${message}`)}</li>`;
  });
  const more = all.length > MOST_FAILURES ? [`<li>and ${all.length - MOST_FAILURES} more, in records/</li>`] : [];
  return `<h2>Failed in ${escapeHtml(store.place)}</h2>\n<ul>\n${[...shown, ...more].join("\n")}\n</ul>`;
}

/** The layer × scale maps of the runs whose calibration holds scores. */
async function maps(names: readonly string[], runs: readonly ReportedRun[]): Promise<string> {
  const figures: string[] = [];
  for (const [i, { overview }] of runs.entries()) {
    const { calibration } = overview.run;
    if (calibration?.statistics) figures.push(await mapFigure(names[i]!, calibration, calibration.statistics.z));
  }
  if (figures.length === 0) return "";
  return `<h2>Attention by layer and scale</h2>\n${figures.join("\n")}`;
}

async function mapFigure(name: string, { roles }: Budget, z: Scores): Promise<string> {
  const drafters = roles.flat().filter((role) => role === "drafter").length;
  const { width, height, data } = scoreImage(z);
  const { default: sharp } = await import("sharp");
  const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  const caption = `${name}: a row a layer, a column a scale from the second on; dark was read widely; drafters: ${drafters}`;
  return `<figure><img class="map" alt="" src="${dataUri("png", bytes)}"><figcaption>${escapeHtml(caption)}</figcaption>
<pre>${escapeHtml(scoreTable(z, roles))}</pre></figure>`;
}

async function grid(names: readonly string[], runs: readonly ReportedRun[], rows: readonly GridRow[]): Promise<string> {
  if (rows.length === 0) return "";
  const figures: string[] = [];
  for (const row of rows) figures.push(await gridFigure(names, runs, row));
  return `<h2>Pictures</h2>\n${figures.join("\n")}`;
}

async function gridFigure(names: readonly string[], runs: readonly ReportedRun[], row: GridRow): Promise<string> {
  const cells: string[] = [];
  for (const [column, found] of row.cells.entries()) {
    const { overview, likeness } = runs[column]!;
    const copy = found ? await smallCopy(await readRunPicture(overview.store, found.task)) : "";
    const psnr = found && likeness?.pairs.get(found.task.index)?.psnr;
    const likened = psnr === undefined ? [] : [describeMetric("psnr", psnr)];
    const words = [names[column]!, ...likened, ...(found ? [] : ["no picture"])];
    cells.push(`<div>${copy}<small>${words.map(escapeHtml).join(" · ")}</small></div>`);
  }
  // With a limit, since a lone run's pictures would be as wide as the page.
  const columns = `grid-template-columns: repeat(${row.cells.length}, minmax(0, ${SIDE}px))`;
  const seeds = `seed ${row.seeds.join(", ")}`;
  return `<figure><figcaption>${escapeHtml(row.prompt)} <small>${seeds}</small></figcaption>
<div class="pictures" style="${columns}">${cells.join("")}</div></figure>`;
}

/** An `img` that carries its picture. */
async function smallCopy({ width, height, data }: RgbImage): Promise<string> {
  const { default: sharp } = await import("sharp");
  const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(SIDE, SIDE, { fit: "inside", withoutEnlargement: true })
    .webp({ quality: QUALITY })
    .toBuffer();
  return `<img loading="lazy" alt="" src="${dataUri("webp", bytes)}">`;
}

function dataUri(format: string, bytes: Buffer): string {
  return `data:image/${format};base64,${bytes.toString("base64")}`;
}
