/** Budget files on disk (Node only). What they hold is told in `budget.ts`. */
import { stat } from "node:fs/promises";
import { BudgetError } from "../errors.js";
import { readRegularText } from "../files/read-file.js";
import { noSuchFile, systemCode } from "../files/system-error.js";
import { writeInOneStep } from "../files/write-file.js";
import { fitBudget, formatBudget, parseBudget, requireModel, type Budget, type BudgetModel } from "./budget.js";
import type { MapSize } from "./maps.js";

/** Per-head statistics of the largest published model take 300 KiB: what is far larger is another file. */
const MAX_BYTES = 2 ** 26;

/** What a transformer's file may end in, the index of shards among it. */
const WEIGHTS = /\.(safetensors|bin|pth|pt|ckpt)(\.index\.json)?$/;

/**
 * The file in which a transformer's own calibration lies, which is used where no other is given: that of `infinity.pth`
 * is `infinity.calibration.json`. Several transformers may lie in one folder, as the published ones do.
 */
export function calibrationBeside(transformer: string): string {
  return `${transformer.replace(WEIGHTS, "")}.calibration.json`;
}

/**
 * Reads a budget file for the model and maps it is to be used with; see {@link fitBudget}.
 *
 * @throws BudgetError where it cannot be read, is damaged, or was made for something else
 */
export async function readBudget(path: string, model: BudgetModel, maps: readonly MapSize[]): Promise<Budget> {
  return fitBudget(parseBudget(await readLimited(path), path), model, maps, path);
}

/**
 * A transformer's own calibration; undefined where there is none.
 *
 * @throws BudgetError where it cannot be read, is damaged, or was made for a model of other sizes
 */
export async function readCalibrationBeside(transformer: string, model: BudgetModel): Promise<Budget | undefined> {
  const path = calibrationBeside(transformer);
  try {
    await stat(path);
  } catch (error) {
    if (noSuchFile(error)) return undefined;
    throw new BudgetError(`${path}: cannot be read (${systemCode(error)})`, { cause: error });
  }
  const budget = parseBudget(await readLimited(path), path);
  requireModel(budget, model, path);
  return budget;
}

async function readLimited(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) throw new BudgetError(`${path}: ${size} bytes, more than a budget file's ${MAX_BYTES}`);
    return await readRegularText(path);
  } catch (error) {
    if (error instanceof BudgetError) throw error;
    throw new BudgetError(`${path}: cannot be read (${systemCode(error)})`, { cause: error });
  }
}

/**
 * Writes a budget file in one step: a reader sees the old file or the whole new one. The same budget gives the same
 * bytes.
 *
 * @throws BudgetError where the budget is not whole, or the file cannot be written
 */
export async function writeBudget(path: string, budget: Budget): Promise<void> {
  const text = formatBudget(budget, path);
  try {
    await writeInOneStep(path, text);
  } catch (error) {
    throw new BudgetError(`${path}: cannot be written (${systemCode(error)})`, { cause: error });
  }
}
