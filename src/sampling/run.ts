/** A run as it lies in a store: begun by the first who opens it, joined by those who want the very same. */
import { formatBudget, parseBudget, type Budget } from "../budget/budget.js";
import { SamplingError } from "../errors.js";
import { sha256 } from "./hash.js";
import {
  CALIBRATION,
  FAILURES,
  formatManifest,
  MANIFEST,
  parseManifest,
  settingsHash,
  TASKS,
  type Manifest,
  type ModelPlace,
} from "./manifest.js";
import { isPart } from "./part-files.js";
import { firstDifference, type RunSettings } from "./settings.js";
import { getText, storedHash, type Store } from "./store.js";
import type { PromptSet, Task } from "./task.js";
import { formatTasks, parseTasks } from "./task-list.js";

/** All that drawing a picture of a run needs to know. */
export interface Run {
  readonly manifest: Manifest;
  readonly tasks: readonly Task[];
  /** What the cache policy was calibrated with, if it was. */
  readonly calibration: Budget | undefined;
}

/** A run that is wished for. */
export interface RunPlan {
  readonly settings: RunSettings;
  readonly model: ModelPlace;
  readonly calibration?: Budget | undefined;
  readonly prompts: PromptSet;
}

/** What a plan puts into the store. */
interface Draft {
  readonly manifest: Manifest;
  readonly tasks: readonly Task[];
  /** Everything but the manifest, by path. */
  readonly files: ReadonlyMap<string, string>;
}

/**
 * Begins a run, or joins the one that is there. The manifest comes first and only once, so of two that begin at the same
 * moment one finds the other's; all other files follow from it, and whoever finds one missing or damaged writes it again.
 *
 * @throws SamplingError where the store holds a run with other settings or prompts, or files that are no run's
 */
export async function openRun(store: Store, plan: RunPlan): Promise<Run> {
  const draft = draftOf(plan);
  const present = (await store.list()).filter(({ path }) => !isPart(path.split("/").at(-1)!));
  const found = await findManifest(store);
  if (!found && present.length > 0) {
    throw new SamplingError(`${store.place}: holds ${present[0]!.path} and no ${MANIFEST}, so it is no run's folder`);
  }
  const created = !found && (await store.create(MANIFEST, encode(formatManifest(draft.manifest))));
  const manifest = created ? draft.manifest : (found ?? (await readManifest(store)));
  await requireSame(store, manifest, draft);
  for (const [path, text] of draft.files) {
    if ((await storedHash(store, path)) !== sha256(text)) await store.put(path, encode(text));
  }
  return { manifest, tasks: plan.prompts.tasks, calibration: plan.calibration };
}

/** Reads a run that was begun. @throws SamplingError where there is none, or a file of it is missing or damaged */
export async function readRun(store: Store): Promise<Run> {
  const manifest = await readManifest(store);
  const hash = manifest.settings.cache.calibration;
  const text = hash === undefined ? undefined : await readChecked(store, CALIBRATION, hash);
  const calibration = text === undefined ? undefined : parseBudget(text, `${store.place}/${CALIBRATION}`);
  return { manifest, tasks: await readTasks(store, manifest), calibration };
}

/** What a run was begun with, so that another store can begin the same. Errors as of {@link readRun}. */
export async function readPlan(store: Store, { manifest, tasks, calibration }: Run): Promise<RunPlan> {
  const { settings, model } = manifest;
  const files = new Map<string, string>();
  for (const [path, hash] of Object.entries(manifest.files)) files.set(path, await readChecked(store, path, hash));
  return { settings, model, calibration, prompts: { tasks, files } };
}

/** The manifest alone. @throws SamplingError where there is none, or it is damaged */
export async function readManifest(store: Store): Promise<Manifest> {
  const manifest = await findManifest(store);
  if (manifest) return manifest;
  throw new SamplingError(`${store.place}: no sampling folder: it has no ${MANIFEST}`);
}

/** The task list alone. @throws SamplingError where it is missing or not the one of the manifest */
export async function readTasks(store: Store, { tasks: { sha256: hash, count } }: Manifest): Promise<Task[]> {
  const tasks = parseTasks(await readChecked(store, TASKS, hash), `${store.place}/${TASKS}`);
  if (tasks.length === count) return tasks;
  throw new SamplingError(`${store.place}/${TASKS}: ${tasks.length} tasks, the manifest counts ${count}`);
}

/** Refuses, naming the first difference, a run that would not draw the same pictures. */
export async function requireSame(
  store: Store,
  there: Manifest,
  { manifest: asked, tasks }: Pick<Draft, "manifest" | "tasks">,
): Promise<void> {
  const difference = firstDifference(there.settings, asked.settings);
  if (difference !== undefined) throw new SamplingError(`${store.place}: holds a run with ${difference}`);
  if (there.tasks.sha256 !== asked.tasks.sha256) {
    throw new SamplingError(`${store.place}: holds a run of other prompts: ${await tasksDiffer(store, there, tasks)}`);
  }
  const names = new Set([...Object.keys(there.files), ...Object.keys(asked.files)]);
  const other = [...names].find((path) => there.files[path] !== asked.files[path]);
  if (other !== undefined) throw new SamplingError(`${store.place}: holds a run with another ${other}`);
}

/** The first task in which two lists differ; of a list that cannot be read, only its length is known. */
async function tasksDiffer(store: Store, there: Manifest, asked: readonly Task[]): Promise<string> {
  const before = await readTasks(store, there).catch(() => []);
  const index = asked.findIndex((task, i) => before[i] && formatTasks([before[i]]) !== formatTasks([task]));
  if (index === -1) return `${there.tasks.count} tasks, asked for are ${asked.length}`;
  const shown = ({ prompt, seeds, file }: Task): string => JSON.stringify({ prompt, seeds, file });
  return `task ${index} is ${shown(before[index]!)}, asked for is ${shown(asked[index]!)}`;
}

function draftOf({ settings, model, calibration, prompts }: RunPlan): Draft {
  const { tasks } = prompts;
  const list = formatTasks(tasks);
  const beside = new Map(prompts.files);
  const taken = [MANIFEST, TASKS, FAILURES].find((path) => beside.has(path));
  if (taken !== undefined) throw new SamplingError(`prompts: ${taken} is a file of the run's own`);
  if (calibration) beside.set(CALIBRATION, formatBudget(calibration, CALIBRATION));
  const manifest: Manifest = {
    version: 1,
    settings,
    settingsSha256: settingsHash(settings),
    tasks: { count: tasks.length, sha256: sha256(list) },
    files: Object.fromEntries([...beside].map(([path, text]) => [path, sha256(text)])),
    model,
  };
  // What could not be read back shall not be written.
  parseTasks(list, "prompts");
  parseManifest(formatManifest(manifest), "prompts");
  return { manifest, tasks, files: new Map([[TASKS, list], ...beside]) };
}

async function findManifest(store: Store): Promise<Manifest | undefined> {
  const text = await getText(store, MANIFEST);
  return text === undefined ? undefined : parseManifest(text, `${store.place}/${MANIFEST}`);
}

async function readChecked(store: Store, path: string, hash: string): Promise<string> {
  const text = await getText(store, path);
  if (text === undefined) throw new SamplingError(`${store.place}/${path}: missing`);
  if (sha256(text) !== hash) throw new SamplingError(`${store.place}/${path}: damaged: not what the manifest says`);
  return text;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
