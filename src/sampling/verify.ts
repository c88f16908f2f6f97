/** Whether a run's folder is exactly what its manifest says. */
import { SamplingError } from "../errors.js";
import { FAILURES, MANIFEST, RECORDS, TASKS, type Manifest } from "./manifest.js";
import { findPictures, type PictureState } from "./pictures.js";
import { readManifest, readTasks } from "./run.js";
import { storedHash, type Store } from "./store.js";
import type { Task } from "./task.js";

/** A file that is not as it should be; `extra` is one that the manifest does not know. */
export interface Problem {
  readonly path: string;
  readonly problem: Exclude<PictureState, "done"> | "extra";
}

/** What was found. */
export interface Verification {
  readonly place: string;
  /** Pictures of the run, and those that are there and whole. */
  readonly total: number;
  readonly done: number;
  readonly problems: readonly Problem[];
}

/**
 * Reads and hashes every file.
 *
 * @throws SamplingError where there is no manifest, or a damaged one: then nothing can be said about the rest
 */
export async function verify(store: Store, onFound?: (done: number, total: number) => void): Promise<Verification> {
  const manifest = await readManifest(store);
  const problems = await fileProblems(store, manifest);
  const total = manifest.tasks.count;
  const tasks = await tasksIfWhole(store, manifest);
  const found = await findPictures(store, tasks ?? [], (done) => onFound?.(done, total));
  for (const { task, state } of found) if (state !== "done") problems.push({ path: task.file, problem: state });
  // Without the tasks nobody knows which pictures are extra.
  if (tasks) problems.push(...(await extraFiles(store, manifest, tasks)));
  return { place: store.place, total, done: found.filter(({ state }) => state === "done").length, problems };
}

/** The task list and the files beside the pictures. */
async function fileProblems(store: Store, { tasks, files }: Manifest): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const [path, hash] of [[TASKS, tasks.sha256] as const, ...Object.entries(files)]) {
    const there = await storedHash(store, path);
    if (there !== hash) problems.push({ path, problem: there === undefined ? "missing" : "damaged" });
  }
  return problems;
}

async function tasksIfWhole(store: Store, manifest: Manifest): Promise<Task[] | undefined> {
  try {
    return await readTasks(store, manifest);
  } catch (error) {
    if (error instanceof SamplingError) return undefined;
    throw error;
  }
}

async function extraFiles(store: Store, { files }: Manifest, tasks: readonly Task[]): Promise<Problem[]> {
  const known = new Set([MANIFEST, TASKS, FAILURES, ...Object.keys(files), ...tasks.map(({ file }) => file)]);
  const isLedger = (path: string): boolean => path.startsWith(RECORDS) && path.endsWith(".jsonl");
  const paths = (await store.list()).map(({ path }) => path).sort();
  return paths.filter((path) => !known.has(path) && !isLedger(path)).map((path) => ({ path, problem: "extra" }));
}
