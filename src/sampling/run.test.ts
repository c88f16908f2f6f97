import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { madeUpCalibration } from "../../test/support/calibration.js";
import { plan, SETTINGS, task } from "../../test/support/run.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { SamplingError } from "../errors.js";
import { FolderStore } from "./folder-store.js";
import { sha256 } from "./hash.js";
import { openRun, readPlan, readRun, type RunPlan } from "./run.js";
import { formatBudget } from "../budget/budget.js";

const PLAN = plan(3, {}, { "0/metadata.jsonl": "{}\n" });

/** Lends a folder where {@link PLAN} was begun. */
function inRun(work: (store: FolderStore, folder: string) => Promise<void>): Promise<void> {
  return inTemporaryFolder(async (folder) => {
    const store = new FolderStore(folder);
    await openRun(store, PLAN);
    await work(store, folder);
  });
}

describe("a run", () => {
  it("is read as it was begun, and begun once by many at the same time", () =>
    inTemporaryFolder(async (folder) => {
      const opened = await Promise.all(Array.from({ length: 8 }, () => openRun(new FolderStore(folder), PLAN)));
      const read = await readRun(new FolderStore(folder));
      for (const run of opened) expect(run).toEqual(read);
      expect(read.tasks).toEqual(PLAN.prompts.tasks);
      expect(read.manifest.settings).toEqual(SETTINGS);
      expect((await readdir(folder)).sort()).toEqual(["0", "manifest.json", "tasks.jsonl"]);
    }));

  it("carries its calibration with it, and another store begins the very same", () =>
    inTemporaryFolder(async (folder) => {
      const maps = [1, 2, 4, 6, 8, 12].map((side) => ({ height: side, width: side }));
      const calibration = madeUpCalibration({ model: { depth: 2, heads: 2, width: 8 }, maps });
      const hash = sha256(formatBudget(calibration, "calibration.json"));
      const cache = { policy: "heatkv", tokens: 20, calibration: hash, storage: "int8" } as const;
      const [here, there] = [new FolderStore(join(folder, "a")), new FolderStore(join(folder, "b"))];
      await openRun(here, { ...plan(2, { cache }), calibration });
      const run = await readRun(here);
      expect(run.calibration).toEqual(calibration);
      await openRun(there, await readPlan(here, run));
      for (const file of ["manifest.json", "tasks.jsonl", "calibration.json"]) {
        expect(await there.get(file)).toEqual(await here.get(file));
      }
    }));

  it("writes again what is missing or damaged beside the manifest", () =>
    inRun(async (store, folder) => {
      const tasks = await readFile(join(folder, "tasks.jsonl"), "utf8");
      await writeFile(join(folder, "tasks.jsonl"), tasks.slice(0, -9));
      await rm(join(folder, "0"), { recursive: true });
      await expect(readRun(store)).rejects.toThrow(
        new SamplingError(`${folder}/tasks.jsonl: damaged: not what the manifest says`),
      );
      await openRun(store, PLAN);
      expect(await readFile(join(folder, "tasks.jsonl"), "utf8")).toBe(tasks);
      expect(await readFile(join(folder, "0/metadata.jsonl"), "utf8")).toBe("{}\n");
    }));

  const others: [string, RunPlan, string][] = [
    ["setting", plan(3, { topK: 1 }), "topK 900, asked for is 1"],
    ["nested setting", plan(3, { size: { pixels: "1M", ratio: 1 } }), 'size.pixels "0.06M", asked for is "1M"'],
    ["new setting", plan(3, { negative: "fog" }), 'negative unset, asked for is "fog"'],
    ["list", plan(3, { guidance: [3, 4] }), "guidance 4, asked for is [3,4]"],
    ["number of prompts", plan(4), "3 tasks, asked for are 4"],
    [
      "prompt",
      { ...PLAN, prompts: { ...PLAN.prompts, tasks: [task(0), { ...task(1), prompt: "other" }, task(2)] } },
      'task 1 is {"prompt":"prompt 1","seeds":[1],"file":"1.png"}, asked for is {"prompt":"other","seeds":[1],"file":"1.png"}',
    ],
    ["file", plan(3, {}, { "0/metadata.jsonl": "{}" }), "holds a run with another 0/metadata.jsonl"],
  ];
  it.each(others)("is not joined with another %s, which is named", (_, other, message) =>
    inRun(async (store) => {
      await expect(openRun(store, other)).rejects.toThrow(message);
      await expect(openRun(store, other)).rejects.toThrow(SamplingError);
      expect(await readPlan(store, await readRun(store))).toMatchObject({ settings: PLAN.settings });
    }),
  );

  it("may have its model elsewhere", () =>
    inRun(async (store) => {
      const { manifest } = await openRun(store, { ...PLAN, model: { name: "elsewhere" } });
      expect(manifest.model).toEqual({ name: "none" });
    }));

  it.each<[string, (text: string) => string, string]>([
    ["cut off", (text) => text.slice(0, -5), "damaged: not JSON"],
    ["empty", () => "", "damaged: not JSON"],
    ["changed", (text) => text.replace('"topK": 900', '"topK": 1'), "damaged: its settings do not have the hash"],
    ["of another version", (text) => text.replace('"version": 1', '"version": 2'), "damaged: version"],
    ["with a path that leaves the folder", (text) => text.replace("0/metadata", "../metadata"), "damaged: files"],
  ])("is refused with a manifest that is %s", (_, damage, message) =>
    inRun(async (store, folder) => {
      const file = join(folder, "manifest.json");
      await writeFile(file, damage(await readFile(file, "utf8")));
      const refusal = new RegExp(`^${file}: ${message}`);
      await expect(openRun(store, PLAN)).rejects.toThrow(refusal);
      await expect(readRun(store)).rejects.toThrow(refusal);
    }),
  );

  it("is not begun among other files, nor read where none is", () =>
    inTemporaryFolder(async (folder) => {
      const store = new FolderStore(folder);
      await writeFile(join(folder, "thesis.tex"), "");
      await expect(openRun(store, PLAN)).rejects.toThrow(
        `${folder}: holds thesis.tex and no manifest.json, so it is no run's folder`,
      );
      await expect(readRun(store)).rejects.toThrow(`${folder}: no sampling folder: it has no manifest.json`);
      expect(await readdir(folder)).toEqual(["thesis.tex"]);
    }));

  it.each(["manifest.json", "tasks.jsonl", "../x", ".hidden"])("is not begun with an own file called %s", (name) =>
    inTemporaryFolder(async (folder) => {
      await expect(openRun(new FolderStore(folder), plan(1, {}, { [name]: "" }))).rejects.toThrow(SamplingError);
      expect(await readdir(folder)).toEqual([]);
    }),
  );
});
