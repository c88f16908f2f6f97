/** The record of an unfinished calibration on disk (Node only): one JSON file, replaced in one step after each prompt. */
import { rm } from "node:fs/promises";
import { z } from "zod";
import type { AttentionStatistics } from "../budget/calibration.js";
import { BudgetError } from "../errors.js";
import { readRegularText } from "../files/read-file.js";
import { noSuchFile, systemCode } from "../files/system-error.js";
import { writeInOneStep } from "../files/write-file.js";
import type { CalibrationIdentity, CalibrationRecord } from "./calibrate.js";

const table = z.array(z.array(z.number().nonnegative()));
const SCHEMA = z.strictObject({
  version: z.literal(1),
  identity: z.looseObject({}),
  measured: z.array(z.strictObject({ current: table, history: table, segments: z.array(table), variance: table })),
});

/** A record in a file of its own; `remove` it when the budget is written. */
export class CalibrationFile implements CalibrationRecord {
  constructor(readonly path: string) {}

  /** @throws BudgetError where the file is damaged, or of another calibration: it is not thrown away unasked */
  async recall(identity: CalibrationIdentity): Promise<readonly AttentionStatistics[]> {
    const text = await this.read();
    if (text === undefined) return [];
    const kept = SCHEMA.safeParse(parseJson(text)).data;
    if (!kept) throw new BudgetError(`${this.path}: is no record of a calibration; remove it to start anew`);
    if (JSON.stringify(kept.identity) === JSON.stringify(identity)) return kept.measured;
    throw new BudgetError(
      `${this.path}: kept from other prompts, another model or other settings; remove it to start anew`,
    );
  }

  async keep(identity: CalibrationIdentity, measured: readonly AttentionStatistics[]): Promise<void> {
    try {
      await writeInOneStep(this.path, `${JSON.stringify({ version: 1, identity, measured })}\n`);
    } catch (error) {
      throw new BudgetError(`${this.path}: cannot be written (${systemCode(error)})`, { cause: error });
    }
  }

  /** The calibration is finished. */
  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }

  private async read(): Promise<string | undefined> {
    try {
      return await readRegularText(this.path);
    } catch (error) {
      if (noSuchFile(error)) return undefined;
      throw new BudgetError(`${this.path}: cannot be read (${systemCode(error)})`, { cause: error });
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
