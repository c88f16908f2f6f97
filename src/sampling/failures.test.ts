/** What runs that gave tasks up say of them, each by itself and together. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { commitAll, plan } from "../../test/support/run.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { readFailures } from "./failures.js";
import { FolderStore } from "./folder-store.js";
import { openRun } from "./run.js";
import { sample } from "./sample.js";
import type { Failure } from "./task-queue.js";
import type { Shard } from "./task-list.js";
import { verify } from "./verify.js";

const failure = (index: number, message: string): Failure => ({
  ...{ index, file: `${index}.png`, prompt: `prompt ${index}` },
  ...{ attempts: 3, message },
});

/** Gives up the tasks that `hopeless` names and draws all others; ends once `gate` does. */
async function run(
  store: FolderStore,
  hopeless: readonly number[],
  { shard, message = "no", gate }: { shard?: Shard; message?: string; gate?: () => Promise<void> } = {},
): Promise<void> {
  const opened = await openRun(store, plan(6));
  const drawAll: Parameters<typeof sample>[0]["drawAll"] = async ({ tasks, onRecord }) => {
    const able = tasks.filter(({ index }) => !hopeless.includes(index));
    for (const record of await commitAll(store, able)) onRecord(record);
    await gate?.();
    return tasks.filter((task) => !able.includes(task)).map(({ index }) => failure(index, message));
  };
  await sample({ store, run: opened, shard, drawAll });
}

describe("failures", () => {
  it("of shards that end together are all kept", () =>
    inTemporaryFolder(async (folder) => {
      let waiting = 3;
      let open = (): void => undefined;
      const all = new Promise<void>((resolve) => (open = resolve));
      const gate = (): Promise<void> => {
        if (--waiting === 0) open();
        return all;
      };
      const shards = [0, 1, 2].map((number) => ({ number, count: 3 }));
      const store = new FolderStore(folder);
      // Here one process is all three, and would take the others' half-written files for a dead process's.
      store.sweep = () => Promise.resolve();
      await openRun(store, plan(6));
      await Promise.all(shards.map((shard) => run(store, [1, 2, 4, 5], { shard, gate })));
      expect((await readFailures(store)).map(({ index }) => index)).toEqual([1, 2, 4, 5]);
      expect((await verify(store)).problems.map(({ problem }) => problem)).toEqual(Array(4).fill("missing"));
    }));

  it("are forgotten once their tasks were tried again, and those of others are not", () =>
    inTemporaryFolder(async (folder) => {
      const store = new FolderStore(folder);
      await run(store, [0, 1, 2]);
      await run(store, [1, 2], { shard: { number: 1, count: 2 }, message: "later" });
      expect(await readFailures(store)).toEqual([failure(0, "no"), failure(1, "later"), failure(2, "no")]);
      await writeFile(join(folder, "failures.jsonl"), `${JSON.stringify(failure(2, "long ago"))}\n`);
      await run(store, []);
      expect(await readFailures(store)).toEqual([]);
      expect((await verify(store)).problems).toEqual([]);
    }));
});
