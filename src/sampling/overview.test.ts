/** What is said of runs in every state, without a model. */
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commitAll, plan, tasks } from "../../test/support/run.js";
import { withS3 } from "../../test/support/s3-server.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { FolderStore } from "./folder-store.js";
import { merge } from "./merge.js";
import { busySeconds, readOverview } from "./overview.js";
import type { PictureRecord } from "./records.js";
import { openRun } from "./run.js";
import { S3Store } from "./s3-store.js";

const TASKS = tasks(6);

const failure = (index: number): string =>
  `${JSON.stringify({ index, file: `${index}.png`, prompt: `prompt ${index}`, attempts: 3, message: "no" })}\n`;

/** A folder with a run of six tasks, the first four of which are drawn. */
async function withRun(work: (store: FolderStore, folder: string) => Promise<void>): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const store = new FolderStore(folder);
    await openRun(store, plan(6));
    await commitAll(store, TASKS.slice(0, 4));
    await work(store, folder);
  });
}

describe("readOverview", () => {
  it("counts every picture once, as done, failed, missing or damaged", () =>
    withRun(async (store, folder) => {
      await writeFile(join(folder, "2.png"), "another");
      // The first of these failed once and is drawn by now.
      await writeFile(join(folder, "failures.jsonl"), failure(0) + failure(4));
      const { complete, failures, pictures } = await readOverview(store);
      expect(complete).toEqual({ total: 6, done: 3, failed: 1, missing: 1, damaged: 1 });
      expect(failures.map(({ index }) => index)).toEqual([4]);
      expect(pictures.map(({ task }) => task.index)).toEqual([0, 1, 2, 3, 4, 5]);
    }));

  it("sums up memory and time by the records of what is done", () =>
    withRun(async (store) => {
      const { cost } = await readOverview(store);
      expect(cost).toMatchObject({ cacheMeanBytes: 2, cachePeakBytes: 2, processPeakBytes: 3, secondsPerImage: 1 });
      // Four pictures, and four seconds by the one ledger.
      expect(cost!.imagesPerSecond).toBeCloseTo(1, 6);
    }));

  it("knows who drew what after a merge: shards drew at the same time", () =>
    inTemporaryFolder(async (folder) => {
      const parts = ["a", "b"].map((name) => new FolderStore(join(folder, name)));
      for (const [i, part] of parts.entries()) {
        await openRun(part, plan(6));
        await commitAll(part, TASKS.slice(3 * i, 3 * i + 3));
      }
      const merged = new FolderStore(join(folder, "merged"));
      const again = new FolderStore(join(folder, "again"));
      await merge(merged, parts);
      await merge(again, [merged]);
      // Each of the two drew for three seconds that are all but the same.
      for (const store of [merged, again]) {
        const { cost } = await readOverview(store);
        expect(Math.round(cost!.imagesPerSecond)).toBe(2);
      }
    }));

  it("counts the images of a picture that shows several", () =>
    inTemporaryFolder(async (folder) => {
      const store = new FolderStore(folder);
      const wish = plan(1);
      const grids = TASKS.map((task) => ({ ...task, seeds: [1, 2, 3, 4] }));
      await openRun(store, { ...wish, prompts: { ...wish.prompts, tasks: grids } });
      await commitAll(store, grids);
      const { cost } = await readOverview(store);
      expect(cost!.secondsPerImage).toBeCloseTo(0.25, 9);
      expect(cost!.imagesPerSecond).toBeCloseTo(4, 6);
    }));

  it("knows in a bucket, too, that a process's pictures were drawn one after another", () =>
    withS3(async ({ environment }) => {
      const store = S3Store.open("s3://pictures/run", environment);
      await openRun(store, plan(6));
      await commitAll(store, TASKS);
      expect((await store.list("records/")).length).toBe(6);
      // Six seconds by the one process, or a little more where the bucket took long.
      expect(Math.round((await readOverview(store)).cost!.imagesPerSecond)).toBe(1);
    }));

  it("has no cost where nothing is drawn", () =>
    inTemporaryFolder(async (folder) => {
      const store = new FolderStore(folder);
      await openRun(store, plan(6));
      expect(await readOverview(store)).toMatchObject({ cost: undefined, complete: { done: 0, missing: 6 } });
    }));

  it("refuses a damaged list of failures, naming the line", () =>
    withRun(async (store, folder) => {
      await appendFile(join(folder, "failures.jsonl"), `${failure(4)}{"index": 5\n`);
      await expect(readOverview(store)).rejects.toThrow(`${folder}/failures.jsonl: line 2: damaged`);
    }));
});

/** A ledger of pictures that took `seconds` each and were committed at these seconds of a day. */
function ledger(seconds: number, ...ends: readonly number[]): PictureRecord[] {
  return ends.map((end, index) => ({
    index,
    file: `${index}.png`,
    sha256: "0".repeat(64),
    bytes: 1,
    seconds,
    cacheBytes: 0,
    peakBytes: 0,
    finished: new Date(end * 1000).toISOString(),
  }));
}

describe("busySeconds", () => {
  it.each([
    ["one process", [ledger(2, 2, 4, 6)], 6],
    ["a batch, whose pictures come at once", [ledger(2, 6, 6, 6)], 6],
    ["two processes at the same time", [ledger(2, 2, 4), ledger(4, 4)], 4],
    ["a stop of a hundred seconds", [ledger(2, 2, 4), ledger(2, 104, 106)], 8],
    ["one that waited for tasks", [ledger(1, 1, 10)], 9],
    ["a ledger without a whole line", [[], ledger(2, 2)], 2],
  ])("of %s", (_, ledgers, seconds) => {
    expect(busySeconds(ledgers)).toBeCloseTo(seconds, 6);
  });

  it("is at least the longest process's time and at most the sum of all, in whatever order ledgers come", () => {
    const some = fc
      .tuple(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.integer({ min: 100, max: 999 }), { minLength: 1, maxLength: 5 }),
      )
      .map(([seconds, ends]) => ledger(seconds, ...ends));
    fc.assert(
      fc.property(fc.array(some, { minLength: 1, maxLength: 5 }), (ledgers) => {
        const alone = ledgers.map((one) => busySeconds([one]));
        const all = busySeconds(ledgers);
        // Sums of milliseconds in double precision.
        expect(all).toBeGreaterThanOrEqual(Math.max(...alone) - 1e-6);
        expect(all).toBeLessThanOrEqual(alone.reduce((sum, one) => sum + one) + 1e-6);
        expect(busySeconds(ledgers.toReversed())).toBeCloseTo(all, 6);
      }),
    );
  });
});
