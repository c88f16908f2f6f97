/** What a policy has to know of a call before it can be chosen. */
import type { Budget } from "../budget/budget.js";
import type { PolicyTask } from "../cache/registry.js";
import { bytesOfFine, bytesPerToken, type StorageType } from "../cache/storage.js";
import type { InfinityConfig } from "../models/infinity/config.js";
import type { Settings } from "./settings.js";

/** The task of drawing `images` images side by side, with the cache stored as `storage`; `calibration` is the model's own. */
export function policyTask(
  { depth, heads, width }: Pick<InfinityConfig, "depth" | "heads" | "width">,
  { schedule, guided }: Pick<Settings, "schedule" | "guided">,
  { images, storage, calibration }: { images: number; storage: StorageType; calibration?: Budget | undefined },
): PolicyTask {
  const rows = guided ? 2 * images : images;
  const tokenBytes = depth * rows * bytesPerToken(storage, heads, width / heads);
  const fineBytes = depth * rows * bytesOfFine(storage, heads, width / heads);
  const scoreBytes = depth * rows * heads * Float32Array.BYTES_PER_ELEMENT;
  return { model: { depth, heads, width }, maps: schedule.maps, tokenBytes, fineBytes, scoreBytes, calibration };
}
