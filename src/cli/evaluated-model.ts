/**
 * The model that an evaluation is about, looked at before anything is drawn: which one it is by its content, and what the
 * caches that are asked for come to. What cannot be drawn is refused here and not hours later.
 */
import { formatBudget, type Budget } from "../budget/budget.js";
import { choosePolicy } from "../cache/registry.js";
import { policyTask } from "../generate/policy-task.js";
import { resolveSettings } from "../generate/settings.js";
import type { CacheOptions, DrawOptions } from "../generate/types.js";
import type { ModelFiles } from "../models/assemble.js";
import { resolveModel, type ResolveOptions } from "../models/folder.js";
import { pixelsPerToken } from "../models/pairing.js";
import { fingerprint } from "../sampling/fingerprint.js";
import { sha256 } from "../sampling/hash.js";

/** What is known of the model. */
export interface EvaluatedModel<Caches> {
  /** Tells it from every other, whatever its name. */
  readonly fingerprint: string;
  /** SHA-256 of its own calibration, if it has one. */
  readonly calibration: string | undefined;
  readonly caches: Caches;
}

/** How images are drawn, as far as budgets depend on it. */
type Drawing = Omit<DrawOptions, "seed" | "cache">;

/**
 * Opens a model, and closes it again.
 *
 * @param settle makes the caches definite, by what {@link settleCache} does to each
 * @throws ModelError, CheckpointError, OptionError or BudgetError, each with one line
 */
export async function lookAtModel<Caches>(
  name: string,
  options: Pick<ResolveOptions, "vae"> & { readonly textEncoder?: string | undefined },
  settle: (files: ModelFiles) => Caches,
): Promise<EvaluatedModel<Caches>> {
  const files = await resolveModel(name, options);
  try {
    const caches = settle(files);
    return { fingerprint: await fingerprint(files), calibration: calibrationHash(files.calibration), caches };
  } finally {
    await files.close();
  }
}

/** By which calibrations are told apart. */
export function calibrationHash(calibration: Budget | null | undefined): string | undefined {
  return calibration ? sha256(formatBudget(calibration, "calibration")) : undefined;
}

/** The cache with its budget in tokens. One in bytes is for one image: divided among a batch, it would depend on the batch. */
export function settleCache<Cache extends CacheOptions>(cache: Cache, files: ModelFiles, drawing: Drawing): Cache {
  const { infinity, vae, defaults, calibration } = files;
  const { config } = infinity;
  const { depth, heads } = config;
  const tokenPixels = pixelsPerToken(config, vae.config);
  const settings = resolveSettings(drawing, defaults, { images: 1, depth, tokenPixels });
  const { storage = "fp32" } = cache;
  const { policy, budget } = choosePolicy(cache, policyTask(config, settings, { images: 1, storage, calibration }));
  // What cannot be planned is to be known now.
  policy.plan({ layers: depth, heads, maps: settings.schedule.maps });
  return budget === undefined || typeof cache.budget === "object" ? cache : { ...cache, budget: String(budget) };
}
