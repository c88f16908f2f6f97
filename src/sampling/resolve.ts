/** From what somebody asks for to settings that are definite; opens the model's files, and loads nothing. */
import { formatBudget, type Budget } from "../budget/budget.js";
import { checkPolicyOptions, choosePolicy } from "../cache/registry.js";
import { OptionError } from "../errors.js";
import { policyTask } from "../generate/policy-task.js";
import { resolveSettings, type Settings } from "../generate/settings.js";
import type { DrawOptions, PipelineOptions } from "../generate/types.js";
import type { ModelFiles } from "../models/assemble.js";
import { resolveModel } from "../models/folder.js";
import { pixelsPerToken } from "../models/pairing.js";
import { chooseDevice } from "../runtime/device.js";
import { fingerprint } from "./fingerprint.js";
import { sha256 } from "./hash.js";
import { CALIBRATION, type ModelPlace } from "./manifest.js";
import { packageVersion } from "./release.js";
import type { CacheSettings, RunSettings } from "./settings.js";

/** What is asked for, as flags or a program say it. */
export interface RunWish {
  readonly model: ModelPlace;
  readonly options: Pick<PipelineOptions, "device" | "weights" | "cache">;
  readonly drawing: Omit<DrawOptions, "seed" | "cache">;
}

/** What that comes to. */
export interface ResolvedWish {
  readonly settings: RunSettings;
  readonly calibration: Budget | undefined;
}

/**
 * Checks every option against the model and fills in what was left open.
 *
 * @throws OptionError, BudgetError, ModelError, CheckpointError or DeviceError, each with one line
 */
export async function resolveWish({ model, options, drawing }: RunWish): Promise<ResolvedWish> {
  const device = chooseDevice(options.device ?? "auto");
  checkPolicyOptions(options.cache ?? {});
  const files = await resolveModel(model.name, model);
  try {
    const { infinity, vae, defaults } = files;
    const tokenPixels = pixelsPerToken(infinity.config, vae.config);
    const definite = resolveSettings(drawing, defaults, { images: 1, depth: infinity.config.depth, tokenPixels });
    const { cache, calibration } = resolveCache(options, definite, files);
    const { guidance, temperature, limits, schedule } = definite;
    const settings: RunSettings = {
      release: packageVersion(),
      model: await fingerprint(files),
      device,
      weights: options.weights ?? "fp32",
      size: { pixels: schedule.pixels, ratio: schedule.ratio },
      guidance: uniform(guidance),
      guidanceLayers: [...new Set(drawing.guidanceLayers ?? [0])].sort((a, b) => b - a),
      temperature: uniform(temperature),
      ...limits,
      negative: drawing.negative,
      positivePrompt: drawing.positivePrompt ?? false,
      cache,
    };
    return { settings, calibration };
  } finally {
    await files.close();
  }
}

/**
 * The budget in tokens, and the calibration that was given or is the model's own. A budget in bytes is for one image, as
 * `generate` takes it: divided among a batch, it would make a picture depend on what it is drawn beside.
 */
function resolveCache(
  { cache = {} }: RunWish["options"],
  settled: Settings,
  { infinity: { config }, calibration: own }: ModelFiles,
): { cache: CacheSettings; calibration: Budget | undefined } {
  const { policy = "full", storage = "fp32", scoring = "paper" } = cache;
  const task = policyTask(config, settled, { images: 1, storage, calibration: own });
  const { budget: tokens, calibration } = choosePolicy(cache, task);
  const settings: CacheSettings = {
    policy,
    tokens,
    scoring: policy === "scalekv" ? scoring : undefined,
    calibration: calibration && sha256(formatBudget(calibration, CALIBRATION)),
    storage,
  };
  return { cache: settings, calibration };
}

/** One value for all scales where they are equal. */
function uniform(values: readonly number[]): number | readonly number[] {
  const [first] = values;
  if (first === undefined) throw new OptionError("a schedule of 0 scales");
  return values.every((value) => value === first) ? first : values;
}
