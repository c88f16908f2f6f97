import { join } from "node:path";
import { expect, it } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { ModelError } from "../errors.js";
import type { PipelineOptions } from "../generate/types.js";
import { calibrateCommand } from "./calibrate.js";

it("loads the model as the flags say", () =>
  inTemporaryFolder(async (folder) => {
    const asked: PipelineOptions[] = [];
    const command = calibrateCommand(() =>
      Promise.resolve((_, options = {}) => {
        asked.push(options);
        return Promise.reject(new ModelError("no model"));
      }),
    );
    const flags = ["--weights", "q8", "--no-weights-cache", "--threads", "3"];
    const args = ["--budget", "10%", "--out", join(folder, "budget.json"), ...flags];
    await expect(command.exitOverride().parseAsync(args, { from: "user" })).rejects.toThrow("no model");
    expect(asked).toMatchObject([{ weights: "q8", weightsCache: false, threads: 3 }]);
  }));
