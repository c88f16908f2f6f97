/**
 * Everything that changes a pixel, made definite: no default is left open, so a later release with other defaults, or a
 * model under another name, cannot change a run that was begun. Threads, batch and memory are not here, since a seed
 * gives the same image whatever they are.
 */
import { z } from "zod";
import { POLICY_NAMES, type PolicyName } from "../cache/registry.js";
import type { ScaleKVScoring } from "../cache/policies/scalekv.js";
import { STORAGE_TYPES, type StorageType } from "../cache/storage.js";
import { PIXEL_CLASSES, type DrawOptions, type PixelClass, type WeightType } from "../generate/types.js";
import { WEIGHT_TYPES } from "../graph/model.js";
import { DEVICES, type Device } from "../runtime/device.js";
import { canonicalJson } from "./hash.js";

/** What a run draws with. */
export interface RunSettings {
  /** Release of this package. */
  readonly release: string;
  /** The model, by the content of its files; see `fingerprint.ts`. */
  readonly model: string;
  readonly device: Device;
  readonly weights: WeightType;
  /** Class and ratio (height / width) of the published size. */
  readonly size: { readonly pixels: PixelClass; readonly ratio: number };
  /** One value, or one a scale where they differ. */
  readonly guidance: number | readonly number[];
  readonly guidanceLayers: readonly number[];
  readonly temperature: number | readonly number[];
  readonly topK: number;
  readonly topP: number;
  readonly negative?: string | undefined;
  readonly positivePrompt: boolean;
  readonly cache: CacheSettings;
}

/** What a run keeps of the cache. */
export interface CacheSettings {
  readonly policy: PolicyName;
  /** Tokens a layer on average; absent for the full cache. */
  readonly tokens?: number | undefined;
  readonly scoring?: ScaleKVScoring | undefined;
  /** SHA-256 of `calibration.json` in the run's folder. */
  readonly calibration?: string | undefined;
  readonly storage: StorageType;
}

/** A SHA-256 as 64 hexadecimal digits. */
export const SHA256 = z.string().regex(/^[0-9a-f]{64}$/);

const PER_SCALE = z.union([z.number(), z.array(z.number()).min(1)]);

/** The settings as they are read back. */
export const SETTINGS: z.ZodType<RunSettings> = z.strictObject({
  release: z.string(),
  model: SHA256,
  device: z.enum(DEVICES),
  weights: z.enum(WEIGHT_TYPES),
  size: z.strictObject({ pixels: z.enum(PIXEL_CLASSES), ratio: z.number() }),
  guidance: PER_SCALE,
  guidanceLayers: z.array(z.int()),
  temperature: PER_SCALE,
  topK: z.int(),
  topP: z.number(),
  negative: z.string().optional(),
  positivePrompt: z.boolean(),
  cache: z.strictObject({
    policy: z.enum(POLICY_NAMES),
    tokens: z.int().positive().optional(),
    scoring: z.enum(["reference", "paper"]).optional(),
    calibration: SHA256.optional(),
    storage: z.enum(STORAGE_TYPES),
  }),
});

/** The drawing options of every call; seeds come from the tasks. */
export function drawingOf(settings: RunSettings): Omit<DrawOptions, "seed" | "signal"> {
  const { size, guidance, guidanceLayers, temperature, topK, topP, negative, positivePrompt } = settings;
  return { ...size, guidance, guidanceLayers, temperature, topK, topP, negative, positivePrompt };
}

/** The first setting in which two runs differ, in words: `topK 1, asked for is 900`; undefined where none does. */
export function firstDifference(there: RunSettings, asked: RunSettings): string | undefined {
  const before = new Map(flatten(there));
  const now = new Map(flatten(asked));
  for (const name of new Set([...before.keys(), ...now.keys()])) {
    const [old, wish] = [before.get(name), now.get(name)];
    if (old !== wish) return `${name} ${old ?? "unset"}, asked for is ${wish ?? "unset"}`;
  }
  return undefined;
}

/** Leaves by their dotted names, as canonical JSON; lists whole: `["cache.policy", "\"full\""]`. */
export function flatten(record: object, prefix = ""): [name: string, value: string][] {
  return Object.entries(record).flatMap(([key, value]: [string, unknown]) => {
    if (value === undefined) return [];
    const nested = typeof value === "object" && value !== null && !Array.isArray(value);
    return nested ? flatten(value, `${prefix}${key}.`) : [[prefix + key, canonicalJson(value)] as [string, string]];
  });
}
