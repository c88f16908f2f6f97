/** The page of `eval prompts`: every picture with its prompt and its verdict, the wrong ones first in their category. */
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { escapeHtml, htmlPage } from "./html.js";
import {
  describeReading,
  describeVerdict,
  SHARE_COLUMNS,
  shareRows,
  type CheckedPicture,
  type FollowingReport,
} from "./prompt-following-report.js";

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 1rem 0.2rem 0; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: 1rem; }
figure { margin: 0; overflow-wrap: anywhere; }
img { width: 100%; box-sizing: border-box; border: 4px solid; border-radius: 6px; display: block; }
.right img { border-color: #2e9e4f; }
.wrong img { border-color: #d33b3b; }
figcaption small { display: block; opacity: 0.7; }`;

/** The page; pictures are named from where it will lie, `page` is its path. */
export function followingPage(report: FollowingReport, page: string): string {
  const title = `${escapeHtml(report.model)}: prompts followed`;
  const categories = [...new Set(report.pictures.map(({ asked }) => asked.category))];
  const sections = categories.map((category) => section(category, report, page));
  return htmlPage(title, STYLE, [shares(report), ...sections]);
}

function shares(report: FollowingReport): string {
  const row = (tag: "th" | "td", cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  const rows = shareRows(report).map((cells) => row("td", cells));
  return `<table><thead>${row("th", SHARE_COLUMNS)}</thead><tbody>\n${rows.join("\n")}\n</tbody></table>`;
}

function section(category: string, { pictures }: FollowingReport, page: string): string {
  const own = pictures.filter(({ asked }) => asked.category === category);
  const wrongFirst = own.toSorted((a, b) => Number(a.shown) - Number(b.shown));
  const figures = wrongFirst.map((picture) => figure(picture, page)).join("\n");
  return `<h2>${escapeHtml(category)}</h2>\n<div class="pictures">\n${figures}\n</div>`;
}

function figure(picture: CheckedPicture, page: string): string {
  const { asked, file, shown } = picture;
  const verdict = describeVerdict(picture);
  const words = `${escapeHtml(asked.prompt)}<small>${escapeHtml(verdict)}</small><small>${escapeHtml(describeReading(picture))}</small>`;
  const source = escapeHtml(address(file, page));
  return `<figure class="${shown ? "right" : "wrong"}"><img loading="lazy" alt="" src="${source}"><figcaption>${words}</figcaption></figure>`;
}

/** A file's address as the page sees it. */
function address(file: string, page: string): string {
  const path = relative(dirname(page), resolve(file));
  // On Windows there is no way from one drive to another.
  if (isAbsolute(path)) return pathToFileURL(path).href;
  return path.split(/[\\/]/).map(encodeURIComponent).join("/");
}
