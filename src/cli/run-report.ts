/** `scalekv report`: what became of one or several sampling runs, side by side on one page. */
import { Command } from "commander";
import { OptionError } from "../errors.js";
import { absolutePlace, openStore } from "../sampling/open-store.js";
import { readOverview, type RunOverview } from "../sampling/overview.js";
import { readManifest } from "../sampling/run.js";
import type { Store } from "../sampling/store.js";
import { writeReport } from "./image-file.js";
import { interruptible } from "./interrupt.js";
import { parseInteger } from "./numbers.js";
import { checkPage } from "./page-file.js";
import { describeSampling, StatusLine } from "./progress.js";
import { chooseRows } from "./run-grid.js";
import { measureLikeness, referenceOf, type Likeness } from "./run-pairs.js";
import { runPage } from "./run-page.js";
import { differs, outcomeRows, runNames, settingRows, type ReportedRun } from "./run-rows.js";
import { table } from "./table.js";

interface ReportFlags {
  readonly out: string;
  readonly pictures: number;
  readonly json?: true;
}

const PICTURES = 24;
/** At 15 to 30 KB a picture the page has 30 MB at most. */
const MOST_PICTURES = 1000;

const HELP = `
Every picture is read and checked, as by "scalekv verify". Where a run of the full cache in fp32 is among the folders,
others that differ from it in the cache alone get PSNR and SSIM beside it: "scalekv report OUT/* --out report.html"
reports what "scalekv sample --pair --out OUT" drew. Folders may be s3://… addresses.`;

/** The command, for the program that assembles them. */
export function reportCommand(): Command {
  return new Command("report")
    .description("Show sampling folders on one page: settings, completeness, memory, speed, likeness and pictures.")
    .argument("<dir...>", "what scalekv sample wrote, a column each")
    .requiredOption("--out <file>", "the page: .html")
    .option(
      "--pictures <n>",
      "pictures on the page, at most",
      (text) => parseInteger("--pictures", text, { min: 0, max: MOST_PICTURES }),
      PICTURES,
    )
    .option("--json", "print the report as JSON")
    .addHelpText("after", HELP)
    .action(reportFolders);
}

async function reportFolders(places: readonly string[], { out, pictures, json }: ReportFlags): Promise<void> {
  await checkPage(out);
  checkPlaces(places, pictures);
  const runs = await readRuns(await openRuns(places));
  const rows = chooseRows(
    runs.map(({ overview }) => overview),
    pictures,
  );
  // Reading thousands of pictures takes minutes, which a page that cannot be written shall not cost.
  process.stdout.write(json ? `${JSON.stringify(reportJson(runs, out), null, 2)}\n` : formatReport(runs, out));
  await writeReport(out, await runPage(runs, rows));
}

function checkPlaces(places: readonly string[], pictures: number): void {
  const absolute = places.map(absolutePlace);
  const twice = places.find((_, i) => absolute.indexOf(absolute[i]!) !== i);
  if (twice !== undefined) throw new OptionError(`${twice}: named twice`);
  if (pictures === 0 || pictures >= places.length) return;
  throw new OptionError(`--pictures ${pictures}: not one for each of ${places.length} folders; 0 shows none`);
}

/** Refuses what is no run before the pictures of any are read, which takes minutes where there are thousands. */
async function openRuns(places: readonly string[]): Promise<Store[]> {
  const stores = await Promise.all(places.map(openStore));
  for (const store of stores) await readManifest(store);
  return stores;
}

/** One run after the other; of their pictures no more than a few are held at any time. */
async function readRuns(stores: readonly Store[]): Promise<ReportedRun[]> {
  const status = new StatusLine(process.stderr);
  return interruptible(async (signal) => {
    const onChecked = (done: number, total: number): void => {
      signal.throwIfAborted();
      status.update(...describeSampling({ stage: "check", done, total }));
    };
    const onPair = (done: number, total: number): void => {
      signal.throwIfAborted();
      status.update(done / total, `measuring: pair ${done} of ${total}`);
    };
    try {
      const runs: RunOverview[] = [];
      for (const store of stores) runs.push(await readOverview(store, onChecked));
      const reported: ReportedRun[] = [];
      for (const overview of runs) {
        const full = referenceOf(overview, runs);
        const likeness = full && (await measureLikeness(full, overview, onPair));
        reported.push({ overview, likeness });
      }
      return reported;
    } finally {
      status.clear();
    }
  });
}

/** As JSON: a run as its page's column, in full digits; infinite decibels become null. */
function reportJson(runs: readonly ReportedRun[], page: string): object {
  return {
    page,
    differing: settingRows(runs)
      .filter(differs)
      .map(({ name }) => name),
    runs: runs.map(({ overview: { store, run, complete, cost, failures }, likeness }) => ({
      place: store.place,
      settings: run.manifest.settings,
      model: run.manifest.model,
      complete,
      cost: cost ?? null,
      likeness: likenessJson(likeness),
      failures,
    })),
  };
}

function likenessJson(likeness: Likeness | undefined): object | null {
  return likeness ? { against: likeness.against, ...likeness.scores } : null;
}

function formatReport(runs: readonly ReportedRun[], page: string): string {
  const lines = [["", ...runNames(runs)], ...outcomeRows(runs).map(({ name, cells }) => [name, ...cells])];
  const text = table(
    lines,
    lines[0]!.map((_, column) => (column === 0 ? "left" : "right")),
  );
  return `${text}\n\n${page}\n`;
}
