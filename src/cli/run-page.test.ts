/** The page of small runs whose pictures are of one colour. */
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { madeUpCalibration } from "../../test/support/calibration.js";
import { SETTINGS, task } from "../../test/support/run.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { formatBudget, type Budget } from "../budget/budget.js";
import { commit } from "../sampling/commit.js";
import { FolderStore } from "../sampling/folder-store.js";
import { CALIBRATION } from "../sampling/manifest.js";
import { readOverview } from "../sampling/overview.js";
import { ledgerPath } from "../sampling/records.js";
import { openRun } from "../sampling/run.js";
import { sha256 } from "../sampling/hash.js";
import { chooseRows } from "./run-grid.js";
import { runPage } from "./run-page.js";
import type { ReportedRun } from "./run-rows.js";

const HOSTILE = `<script>alert("1")</script> & a fox's </small>`;

const CALIBRATED: Budget = madeUpCalibration({
  model: { depth: 3, heads: 2, width: 64 },
  maps: [1, 2, 4, 6].map((side) => ({ height: side, width: side })),
});

/** What a run is made of beside its settings. */
interface Wish {
  readonly folder: string;
  readonly prompts?: readonly string[];
  readonly calibration?: Budget;
  readonly failed?: string;
}

/** A run whose pictures are all drawn; with `failed`, the last one could not be for this reason. */
async function makeRun({ folder, prompts = ["a fox"], calibration, failed }: Wish): Promise<ReportedRun> {
  const store = new FolderStore(folder);
  const tasks = prompts.map((prompt, index) => ({ ...task(index), prompt }));
  const cache = calibration && {
    policy: "scalekv" as const,
    tokens: calibration.base,
    storage: "fp32" as const,
    calibration: sha256(formatBudget(calibration, CALIBRATION)),
  };
  const settings = { ...SETTINGS, ...(cache && { cache }) };
  await openRun(store, { settings, model: { name: "none" }, calibration, prompts: { tasks, files: new Map() } });
  const ledger = ledgerPath();
  for (const { index, file } of failed === undefined ? tasks : tasks.slice(0, -1)) {
    const create = { width: 800, height: 400, channels: 3 as const, background: { r: 200, g: 40, b: 10 * index } };
    const bytes = await sharp({ create }).png().toBuffer();
    await commit(store, ledger, {
      index,
      file,
      bytes,
      sha256: sha256(bytes),
      seconds: 1,
      cacheBytes: 2 ** 20,
      peakBytes: 0,
    });
  }
  if (failed !== undefined) {
    const { index, file, prompt } = tasks.at(-1)!;
    const failure = { index, file, prompt, attempts: 3, message: failed };
    await store.put("failures.jsonl", Buffer.from(`${JSON.stringify(failure)}\n`));
  }
  return { overview: await readOverview(store), likeness: undefined };
}

async function pageOf(runs: readonly ReportedRun[], pictures = 24): Promise<string> {
  const overviews = runs.map(({ overview }) => overview);
  return runPage(runs, chooseRows(overviews, pictures));
}

describe("runPage", () => {
  it("shows prompts, names and messages as they are, whatever they hold", () =>
    inTemporaryFolder(async (parent) => {
      const run = await makeRun({ folder: join(parent, "a<b>&"), prompts: [HOSTILE, "x"], failed: "<img src=x>" });
      const page = await pageOf([run]);
      expect(page).toContain(
        "<figcaption>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; a fox&#39;s &lt;/small&gt; <small>seed 0</small>",
      );
      expect(page).toContain("<h1>a&lt;b&gt;&amp;</h1>");
      expect(page).toContain("<li>1.png: failed after 3 attempts: &lt;img src=x&gt;</li>");
      expect(page).not.toContain("<script");
    }));

  it("has nothing from elsewhere, and forbids it", () =>
    inTemporaryFolder(async (folder) => {
      const page = await pageOf([await makeRun({ folder, calibration: CALIBRATED })]);
      expect(page.match(/ (?:src|href)="(?!data:image\/)/g)).toBeNull();
      expect(page).not.toMatch(/<link|@import|url\(/);
      expect(page).toContain(`content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"`);
    }));

  it("carries small copies, no more than were asked for", () =>
    inTemporaryFolder(async (folder) => {
      const run = await makeRun({ folder, prompts: ["one", "two", "three"] });
      const copies = (page: string): string[] =>
        [...page.matchAll(/data:image\/webp;base64,([^"]*)/g)].map(([, data]) => data!);
      const shown = copies(await pageOf([run], 2));
      expect(shown).toHaveLength(2);
      const { width, height } = await sharp(Buffer.from(shown[0]!, "base64")).metadata();
      expect([width, height]).toEqual([384, 192]);
      expect(copies(await pageOf([run], 0))).toEqual([]);
    }));

  it("marks the settings that differ, draws the map of a calibration, and leaves a gap for what is not drawn", () =>
    inTemporaryFolder(async (parent) => {
      const prompts = ["one", "two"];
      const full = await makeRun({ folder: join(parent, "full"), prompts: ["two"] });
      const budget = await makeRun({ folder: join(parent, "budget"), prompts, calibration: CALIBRATED });
      const page = await pageOf([full, budget]);
      const marked = [...page.matchAll(/<tr class="differs"><td>(\S+) ≠/g)].map(([, name]) => name);
      expect(marked).toEqual(["cache.calibration", "cache.policy", "cache.tokens", "prompts"]);
      expect(page.match(/<img class="map"/g)).toHaveLength(1);
      expect(page).toMatch(/<figcaption>budget: [^<]*drafters: \d+<\/figcaption>\n<pre>layer +2 +3 +4\n/);
      // "two" has another seed in either run, and "one" is in one of them only: three rows with a gap each.
      expect(page.match(/ · no picture/g)).toHaveLength(3);
    }));
});
