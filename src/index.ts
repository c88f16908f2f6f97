/**
 * The public API: the same in Node and in a browser, so nothing of it reads or writes a file.
 *
 * - Drawing: {@link pipeline}; its options, progress and reports are the types of `generate/types.ts`.
 * - The cache: names of policies and storage types, budgets as text, and what a cache takes by formula.
 * - Measuring: how near two images are, and pictures of where they differ.
 * - Errors: every one that bad input can cause is a {@link ScaleKVError}.
 */
export { pipeline } from "./generate/pipeline.js";
export * from "./generate/types.js";
export type { Device } from "./runtime/device.js";

export { POLICY_NAMES, type PolicyName } from "./cache/registry.js";
export type { ScaleKVScoring } from "./cache/policies/scalekv.js";
export { checkBudget, formatBudget, parseBudget, type Budget, type BudgetModel } from "./budget/budget.js";
export { PRESETS, presetFor, type Preset } from "./budget/presets.js";
export {
  cacheBytes,
  CACHE_LAYOUTS,
  STORAGE_TYPES,
  type CacheLayout,
  type CacheOwner,
  type StorageType,
} from "./budget/memory.js";

export type { RgbImage } from "./metrics/image.js";
export { psnr } from "./metrics/psnr.js";
export { ssim, type SsimBorder } from "./metrics/ssim.js";
export {
  comparisonPicture,
  differencePicture,
  sideBySide,
  type DifferenceColours,
  type DifferenceOptions,
} from "./metrics/difference.js";

export * from "./errors.js";
