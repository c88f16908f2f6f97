import { describe, expect, it } from "vitest";
import { plan } from "../../test/support/run.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { FolderStore } from "../sampling/folder-store.js";
import { readOverview, type RunOverview } from "../sampling/overview.js";
import { openRun } from "../sampling/run.js";
import type { RunSettings } from "../sampling/settings.js";
import { referenceOf } from "./run-pairs.js";

const SCALEKV: Partial<RunSettings> = { cache: { policy: "scalekv", tokens: 26, scoring: "paper", storage: "fp32" } };

/** Overviews of runs of which nothing is drawn. */
async function withRuns(
  wanted: readonly (readonly [tasks: number, change: Partial<RunSettings>])[],
  work: (runs: readonly RunOverview[]) => void,
): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const runs: RunOverview[] = [];
    for (const [i, [count, change]] of wanted.entries()) {
      const store = new FolderStore(`${folder}/${i}`);
      await openRun(store, plan(count, change));
      runs.push(await readOverview(store));
    }
    work(runs);
  });
}

describe("referenceOf", () => {
  it("is the run of the full cache in fp32, wherever it stands", () =>
    withRuns(
      [
        [2, SCALEKV],
        [2, { cache: { policy: "full", storage: "int8" } }],
        [2, {}],
      ],
      (runs) => {
        const [compressed, small, full] = runs;
        expect(referenceOf(compressed!, runs)).toBe(full);
        expect(referenceOf(small!, runs)).toBe(full);
        expect(referenceOf(full!, runs)).toBeUndefined();
      },
    ));

  it("is no run with other prompts or another setting beside the cache", () =>
    withRuns(
      [
        [2, SCALEKV],
        [3, {}],
        [2, { topK: 1 }],
      ],
      (runs) => expect(referenceOf(runs[0]!, runs)).toBeUndefined(),
    ));
});
