/**
 * `manifest.json`: what a run is. It is the first file of a run's folder and never changes; what a picture is follows
 * from it and the picture's number alone, whoever draws it, where, when and beside which others.
 */
import { z } from "zod";
import { SamplingError } from "../errors.js";
import { canonicalJson, sha256 } from "./hash.js";
import { SETTINGS, SHA256, type RunSettings } from "./settings.js";
import { SAFE_PATH } from "./task-list.js";

/** The run's own files. */
export const MANIFEST = "manifest.json";
export const TASKS = "tasks.jsonl";
export const CALIBRATION = "calibration.json";
export const FAILURES = "failures.jsonl";
export const RECORDS = "records/";

/** Where the model's files were, as on the command line. On another machine they may lie elsewhere. */
export interface ModelPlace {
  readonly name: string;
  readonly vae?: string | undefined;
  readonly textEncoder?: string | undefined;
}

/** What the file holds. */
export interface Manifest {
  readonly version: 1;
  readonly settings: RunSettings;
  readonly settingsSha256: string;
  /** Number of tasks, and the hash of `tasks.jsonl`. */
  readonly tasks: { readonly count: number; readonly sha256: string };
  /** All files beside pictures and tasks, by path, with their hashes. */
  readonly files: Readonly<Record<string, string>>;
  /** A help for who draws, no part of what the run is. */
  readonly model: ModelPlace;
}

const SCHEMA: z.ZodType<Manifest> = z.strictObject({
  version: z.literal(1),
  settings: SETTINGS,
  settingsSha256: SHA256,
  tasks: z.strictObject({ count: z.int().positive(), sha256: SHA256 }),
  files: z.record(SAFE_PATH, SHA256),
  model: z.strictObject({ name: z.string(), vae: z.string().optional(), textEncoder: z.string().optional() }),
});

/** By which two runs' settings are compared at once. */
export function settingsHash(settings: RunSettings): string {
  return sha256(canonicalJson(settings));
}

/** The file's text. */
export function formatManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** Reads the text; `name` is shown in errors. @throws SamplingError for anything but a whole, unchanged manifest */
export function parseManifest(text: string, name: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new SamplingError(`${name}: damaged: not JSON`, { cause: error });
  }
  const { data, error } = SCHEMA.safeParse(json);
  if (!data) {
    const [issue] = error.issues;
    throw new SamplingError([`${name}: damaged:`, ...(issue?.path ?? []), issue?.message ?? "invalid"].join(" "));
  }
  if (settingsHash(data.settings) === data.settingsSha256) return data;
  throw new SamplingError(`${name}: damaged: its settings do not have the hash ${data.settingsSha256}`);
}
