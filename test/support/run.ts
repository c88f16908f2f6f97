/** Runs without a model: plans, and pictures that are any bytes, committed as drawn ones are. */
import { createHash } from "node:crypto";
import { commit } from "../../src/sampling/commit.js";
import { ledgerPath, type PictureRecord } from "../../src/sampling/records.js";
import type { RunPlan } from "../../src/sampling/run.js";
import type { RunSettings } from "../../src/sampling/settings.js";
import type { Store } from "../../src/sampling/store.js";
import type { Task } from "../../src/sampling/task.js";

export const SETTINGS: RunSettings = {
  release: "1.2.3",
  model: "0".repeat(64),
  device: "cpu",
  weights: "fp32",
  size: { pixels: "0.06M", ratio: 1 },
  guidance: 4,
  guidanceLayers: [0],
  temperature: 1,
  topK: 900,
  topP: 0.97,
  positivePrompt: false,
  cache: { policy: "full", storage: "fp32" },
};

/** A task of one image. */
export function task(index: number): Task {
  return { index, prompt: `prompt ${index}`, seeds: [index], file: `${index}.png` };
}

/** So many of them. */
export function tasks(count: number): Task[] {
  return Array.from({ length: count }, (_, index) => task(index));
}

/** A plan of `count` tasks. */
export function plan(count: number, change: Partial<RunSettings> = {}, files: Record<string, string> = {}): RunPlan {
  const prompts = { tasks: tasks(count), files: new Map(Object.entries(files)) };
  return { settings: { ...SETTINGS, ...change }, model: { name: "none" }, prompts };
}

/** Commits a picture of these bytes for each of the tasks, in one ledger. */
export async function commitAll(store: Store, wanted: readonly Task[], content = "picture"): Promise<PictureRecord[]> {
  const ledger = ledgerPath();
  const records: PictureRecord[] = [];
  for (const { index, file } of wanted) {
    const bytes = Buffer.from(`${content} ${index}`);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    records.push(await commit(store, ledger, { index, file, bytes, sha256, seconds: 1, cacheBytes: 2, peakBytes: 3 }));
  }
  return records;
}
