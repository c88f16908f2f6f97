import { mkdir, readFile, readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { BudgetError } from "../errors.js";
import { readBudget, writeBudget } from "./budget-file.js";
import type { Budget } from "./budget.js";
import { PRESETS } from "./presets.js";

const { budget } = PRESETS[0]!;
const { model, schedule } = budget;

describe("a budget file", () => {
  it("reads back as it was written, twice to the same bytes, with nothing else left behind", () =>
    inTemporaryFolder(async (folder) => {
      const path = join(folder, "budget.json");
      await writeBudget(path, budget);
      const bytes = await readFile(path);
      const read = await readBudget(path, model, schedule.maps);
      expect(read).toEqual(budget);
      await writeBudget(path, read);
      expect(await readFile(path)).toEqual(bytes);
      expect(await readdir(folder)).toEqual(["budget.json"]);
    }));

  it("is cut to what is drawn", () =>
    inTemporaryFolder(async (folder) => {
      const path = join(folder, "budget.json");
      await writeBudget(path, budget);
      expect((await readBudget(path, model, schedule.maps.slice(0, 10))).capacities).toHaveLength(9);
    }));

  it("stays as it was where the new one cannot be written", () =>
    inTemporaryFolder(async (folder) => {
      const path = join(folder, "budget.json");
      await writeBudget(path, budget);
      const before = await readFile(path);
      const broken: Budget = { ...budget, base: 0 };
      await expect(writeBudget(path, broken)).rejects.toThrow(
        `${path}: not a budget: base: Too small: expected number`,
      );
      await mkdir(join(folder, "taken"));
      const error = new BudgetError(`${folder}/taken: cannot be written (EISDIR)`);
      await expect(writeBudget(join(folder, "taken"), budget)).rejects.toThrow(error);
      expect(await readFile(path)).toEqual(before);
      expect(await readdir(folder)).toEqual(["budget.json", "taken"]);
    }));

  it("is refused where it is missing, a folder, or far too large", () =>
    inTemporaryFolder(async (folder) => {
      const read = (name: string) => readBudget(join(folder, name), model, schedule.maps);
      await expect(read("none.json")).rejects.toThrow(new BudgetError(`${folder}/none.json: cannot be read (ENOENT)`));
      await expect(readBudget(folder, model, schedule.maps)).rejects.toThrow(
        new BudgetError(`${folder}: cannot be read (not a regular file)`),
      );
      await writeFile(join(folder, "huge"), "");
      await truncate(join(folder, "huge"), 2 ** 32);
      await expect(read("huge")).rejects.toThrow(
        new BudgetError(`${folder}/huge: 4294967296 bytes, more than a budget file's 67108864`),
      );
    }));
});
