/** What is found in a folder after all kinds of accidents, and what of it is merged. */
import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { commitAll, plan, tasks } from "../../test/support/run.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { addFailures, readFailures } from "./failures.js";
import { FolderStore } from "./folder-store.js";
import { merge } from "./merge.js";
import { readOverview } from "./overview.js";
import { findPictures } from "./pictures.js";
import { openRun } from "./run.js";
import type { Failure } from "./task-queue.js";
import { verify } from "./verify.js";

const TASKS = tasks(6);

/** A folder with a run of six tasks, of which these are drawn. */
async function folderWith(folder: string, drawn: readonly number[], content?: string): Promise<FolderStore> {
  const store = new FolderStore(folder);
  await openRun(store, plan(6));
  await commitAll(
    store,
    drawn.map((index) => TASKS[index]!),
    content,
  );
  return store;
}

describe("verify", () => {
  it("finds nothing amiss in a whole folder", () =>
    inTemporaryFolder(async (folder) => {
      const store = await folderWith(folder, [0, 1, 2, 3, 4, 5]);
      expect(await verify(store)).toEqual({ place: folder, total: 6, done: 6, problems: [] });
    }));

  it("names every file that is missing, damaged, not recorded or extra", () =>
    inTemporaryFolder(async (folder) => {
      const store = await folderWith(folder, [0, 1, 2, 4]);
      await writeFile(join(folder, "1.png"), "picture 2");
      await rm(join(folder, "2.png"));
      await writeFile(join(folder, "3.png"), "picture 3");
      await writeFile(join(folder, "6.png"), "picture 6");
      const { done, problems } = await verify(store);
      expect(done).toBe(2);
      expect(problems).toEqual([
        { path: "1.png", problem: "damaged" },
        { path: "2.png", problem: "missing" },
        { path: "3.png", problem: "unrecorded" },
        { path: "5.png", problem: "missing" },
        { path: "6.png", problem: "extra" },
      ]);
    }));

  it("says that the task list is damaged, and of the pictures then nothing", () =>
    inTemporaryFolder(async (folder) => {
      const store = await folderWith(folder, [0, 1, 2, 3, 4, 5]);
      await appendFile(join(folder, "tasks.jsonl"), "\n");
      expect(await verify(store)).toEqual({
        place: folder,
        total: 6,
        done: 0,
        problems: [{ path: "tasks.jsonl", problem: "damaged" }],
      });
    }));
});

describe("a picture counts as done", () => {
  it("with one good record among others, in any ledger", () =>
    inTemporaryFolder(async (folder) => {
      const store = await folderWith(folder, [0], "other");
      await commitAll(store, [TASKS[0]!]);
      const [found] = await findPictures(store, TASKS);
      expect(found).toMatchObject({ state: "done", record: { bytes: "picture 0".length } });
    }));

  it("only while its ledger line is whole", () =>
    inTemporaryFolder(async (folder) => {
      const store = await folderWith(folder, [0, 1]);
      const [name] = await readdir(join(folder, "records"));
      const ledger = join(folder, "records", name!);
      await writeFile(ledger, (await readFile(ledger, "utf8")).slice(0, -1));
      const found = await findPictures(store, TASKS.slice(0, 2));
      expect(found.map(({ state }) => state)).toEqual(["done", "unrecorded"]);
    }));
});

describe("merge", () => {
  it("joins parts that overlap, keeps their records, and is whole then", () =>
    inTemporaryFolder(async (folder) => {
      const a = await folderWith(join(folder, "a"), [0, 2, 4]);
      const b = await folderWith(join(folder, "b"), [1, 3, 4, 5]);
      const target = new FolderStore(join(folder, "all"));
      expect(await merge(target, [a, b])).toMatchObject({ total: 6, copied: 6, skipped: 0, missing: 0, damaged: [] });
      expect((await verify(target)).problems).toEqual([]);
      for (const file of ["manifest.json", "tasks.jsonl"]) expect(await target.get(file)).toEqual(await a.get(file));
      const records = async (store: FolderStore): Promise<unknown[]> =>
        (await findPictures(store, TASKS)).flatMap(({ record }) => record ?? []);
      expect(await records(target)).toEqual(expect.arrayContaining(await records(a)));
      expect(await merge(target, [b])).toMatchObject({ copied: 0, skipped: 6 });
    }));

  it("takes over what was given up, once", () =>
    inTemporaryFolder(async (folder) => {
      const [a, b] = [await folderWith(join(folder, "a"), [0, 1]), await folderWith(join(folder, "b"), [2, 3])];
      const failure = (index: number, message: string): Failure => ({
        ...{ index, file: `${index}.png`, prompt: `prompt ${index}` },
        ...{ attempts: 3, message },
      });
      // What one gave up, another may have drawn.
      await addFailures(a, [failure(2, "no"), failure(4, "no")]);
      await addFailures(b, [failure(4, "later")]);
      const target = new FolderStore(join(folder, "all"));
      await merge(target, [a, b]);
      await merge(target, [b, a]);
      expect(await readFailures(target)).toEqual([failure(4, "later")]);
      expect((await target.list("records/failures-")).length).toBe(1);
      const { complete } = await readOverview(target);
      expect(complete).toEqual({ total: 6, done: 4, failed: 1, missing: 1, damaged: 0 });
    }));

  it("leaves out what does not verify, and tells", () =>
    inTemporaryFolder(async (folder) => {
      const a = await folderWith(join(folder, "a"), [0, 1, 2]);
      await writeFile(join(folder, "a/1.png"), "scratched");
      const target = new FolderStore(join(folder, "all"));
      const damaged = [`${join(folder, "a")}/1.png`];
      expect(await merge(target, [a])).toMatchObject({ copied: 2, missing: 4, damaged });
      expect((await verify(target)).problems.every(({ problem }) => problem === "missing")).toBe(true);
    }));

  it("refuses parts that hold different pictures, or are of another run, before anything is copied", () =>
    inTemporaryFolder(async (folder) => {
      const a = await folderWith(join(folder, "a"), [0, 1]);
      const b = await folderWith(join(folder, "b"), [1, 2], "other");
      const target = new FolderStore(join(folder, "all"));
      await expect(merge(target, [a, b])).rejects.toThrow(/^1\.png: .*a and .*b hold different pictures$/);
      expect((await target.list()).map(({ path }) => path).sort()).toEqual(["manifest.json", "tasks.jsonl"]);
      const c = new FolderStore(join(folder, "c"));
      await openRun(c, plan(6, { topK: 1 }));
      await expect(merge(target, [a, c])).rejects.toThrow("holds a run with topK 1, asked for is 900");
      await expect(merge(c, [a])).rejects.toThrow("holds a run with topK 1, asked for is 900");
    }));
});
