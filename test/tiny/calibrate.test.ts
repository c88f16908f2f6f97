/** The embedded model, calibrated: what is measured adds up, and the same work gives the same file however it is cut. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeBudget } from "../../src/budget/budget-file.js";
import type { AttentionStatistics } from "../../src/budget/calibration.js";
import { BudgetError, OptionError } from "../../src/errors.js";
import { calibrate, type CalibrateOptions, type Probe } from "../../src/generate/calibrate.js";
import { CalibrationFile } from "../../src/generate/calibration-file.js";
import { Engine } from "../../src/generate/engine.js";
import { resolveModel } from "../../src/models/folder.js";
import { inTemporaryFolder } from "../support/temporary.js";

const PROMPTS = ["a red fox in the snow", "a lighthouse", "two boats"];
const SMALL = { pixels: "0.06M", seed: 7 } as const;
const OPTIONS: CalibrateOptions = { budget: "10%", drawing: SMALL };
/** 0.06M at 1:1 has 7 scales. */
const SCALES = 7;

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.load("tiny", {}, resolveModel);
});
afterAll(() => engine.dispose());

/** The engine, and every prompt that it was asked to measure. */
function counting(asked: string[]): Probe {
  return {
    subject: (drawing) => engine.subject(drawing),
    measure: (prompt, options) => {
      asked.push(prompt);
      return engine.measure(prompt, options);
    },
    dispose: () => Promise.resolve(),
  };
}

describe("what is measured", () => {
  let statistics: AttentionStatistics;
  beforeAll(async () => {
    statistics = await engine.measure(PROMPTS[0]!, SMALL);
  });

  it("is all of the attention: what does not stay in a map lies on the scales before it", () => {
    for (const [layer, heads] of statistics.segments.entries()) {
      const left = statistics.current[layer]!.reduce((sum, share) => sum + 1 - share, 0);
      // A segment's mass is a mean over the scales after its source; here it is a sum over them again.
      const found = heads.flatMap((head) => head.map((mass, source) => (mass * (SCALES - 1 - source)) / heads.length));
      // Seven sums of float32 weights.
      expect(Math.abs(found.reduce((sum, mass) => sum + mass, 0) - left)).toBeLessThan(1e-5);
    }
  });

  it("has no more on the best tokens of the history than on all of it, and all where these are all", () => {
    for (const [layer, row] of statistics.history.entries()) {
      const left = statistics.current[layer]!.map((share) => 1 - share);
      row.forEach((best, scale) => expect(best).toBeLessThanOrEqual(left[scale]! + 1e-6));
      // Scales 1 and 2 look back on 1 and 5 tokens, fewer than the 16 that are summed.
      for (const scale of [1, 2]) expect(Math.abs(row[scale]! - left[scale]!)).toBeLessThan(1e-6);
      expect(row[SCALES - 1]).toBeGreaterThan(0);
    }
  });
});

it("is measured in float32 only", async () => {
  const narrow = await Engine.load("tiny", { cache: { storage: "int8" } }, resolveModel);
  try {
    const refused = new OptionError("storage int8: attention is measured with an fp32 cache");
    await expect(narrow.measure(PROMPTS[0]!, SMALL)).rejects.toThrow(refused);
  } finally {
    await narrow.dispose();
  }
});

describe("calibrate", () => {
  it("writes the same bytes twice, and the same again where it was aborted in between", () =>
    inTemporaryFolder(async (folder) => {
      const write = async (name: string, probe: Probe, options: CalibrateOptions): Promise<string> => {
        const file = join(folder, name);
        await writeBudget(file, (await calibrate(probe, PROMPTS, options)).budget);
        return readFile(file, "utf8");
      };
      const first = await write("a.json", engine, OPTIONS);
      expect(await write("b.json", engine, OPTIONS)).toBe(first);

      const record = new CalibrationFile(join(folder, "c.json.part"));
      const controller = new AbortController();
      const onProgress = (_: unknown, prompt: number): void => {
        if (prompt === PROMPTS.length) controller.abort(new Error("enough"));
      };
      const stopped = calibrate(engine, PROMPTS, { ...OPTIONS, record, signal: controller.signal, onProgress });
      await expect(stopped).rejects.toThrow("enough");
      const asked: string[] = [];
      expect(await write("c.json", counting(asked), { ...OPTIONS, record })).toBe(first);
      expect(asked).toEqual(PROMPTS.slice(-1));
    }));

  it.each<[CalibrateOptions, string]>([
    [{ ...OPTIONS, budget: "0.1%" }, "budget 0.1%: not a single one of the 265 tokens of a layer"],
    [{ ...OPTIONS, drafters: 13 }, "drafters 13: not a whole number from 0 to 12 pairs of layer and scale"],
    [{ ...OPTIONS, drawing: { seed: [1, 2] } }, "seed: 2 values for 1 prompts; give one, or one for each prompt"],
  ])("refuses what does not fit before anything is drawn: %j", async (options, message) => {
    const asked: string[] = [];
    await expect(calibrate(counting(asked), PROMPTS, options)).rejects.toThrow(new OptionError(message));
    expect(asked).toEqual([]);
  });

  it("refuses a record of other prompts, and one that is damaged", () =>
    inTemporaryFolder(async (folder) => {
      const path = join(folder, "budget.json.part");
      const record = new CalibrationFile(path);
      await calibrate(engine, PROMPTS.slice(0, 1), { ...OPTIONS, record });
      const other = `${path}: kept from other prompts, another model or other settings; remove it to start anew`;
      await expect(calibrate(engine, PROMPTS, { ...OPTIONS, record })).rejects.toThrow(new BudgetError(other));
      await writeFile(path, '{"version":1}');
      const damaged = `${path}: is no record of a calibration; remove it to start anew`;
      await expect(calibrate(engine, PROMPTS, { ...OPTIONS, record })).rejects.toThrow(new BudgetError(damaged));
    }));
});
