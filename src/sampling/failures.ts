/**
 * Tasks that were given up. Every process that gives some up writes a list of its own, so none can spoil another's; read
 * together they say of each task what was said last.
 */
import { z } from "zod";
import { SamplingError } from "../errors.js";
import { FAILURES, RECORDS } from "./manifest.js";
import { processName } from "./records.js";
import { getText, type Store } from "./store.js";
import type { Task } from "./task.js";
import type { Failure } from "./task-queue.js";

const FAILURE: z.ZodType<Failure> = z.object({
  index: z.int().nonnegative(),
  file: z.string(),
  prompt: z.string(),
  attempts: z.int(),
  message: z.string(),
});

/** A list's path: milliseconds since 1970 put them in order, by the clocks of those who wrote them. */
const LIST = new RegExp(`^${RECORDS}failures-\\d{13}-.+\\.jsonl$`);

/** The paths of all lists, the oldest first. */
export async function failureLists(store: Store): Promise<string[]> {
  const paths = (await store.list(`${RECORDS}failures-`)).map(({ path }) => path);
  return [FAILURES, ...paths.filter((path) => LIST.test(path)).sort()];
}

/** What was given up and by now may be drawn, in the order of the tasks. @throws SamplingError for a damaged list */
export async function readFailures(store: Store): Promise<Failure[]> {
  const latest = new Map<number, Failure>();
  for (const path of await failureLists(store)) {
    for (const [i, failure] of (await readList(store, path)).entries()) {
      // Lists are put in one step, so a line that is none was not cut off by a crash.
      if (!failure) throw new SamplingError(`${store.place}/${path}: line ${i + 1}: damaged`);
      latest.set(failure.index, failure);
    }
  }
  return [...latest.values()].sort((a, b) => a.index - b.index);
}

/** Adds a list of this process's own; none where nothing was given up. */
export async function addFailures(store: Store, failed: readonly Failure[]): Promise<void> {
  if (failed.length === 0) return;
  const text = failed.map((failure) => `${JSON.stringify(failure)}\n`).join("");
  await store.put(`${RECORDS}failures-${Date.now()}-${processName()}.jsonl`, new TextEncoder().encode(text));
}

/**
 * Adds what was given up of `tasks`, and removes those of the lists in `before` that speak of no others. They must have
 * been there before the tasks were tried: lists that came meanwhile are those of processes that tried others.
 */
export async function replaceFailures(
  store: Store,
  { tasks, failed, before }: { tasks: readonly Task[]; failed: readonly Failure[]; before: readonly string[] },
): Promise<void> {
  await addFailures(store, failed);
  const own = new Set(tasks.map(({ index }) => index));
  for (const path of before) {
    const lines = await readList(store, path);
    if (lines.length > 0 && lines.every((failure) => !failure || own.has(failure.index))) await store.remove(path);
  }
}

/** A list's lines, undefined for those that are damaged; another process may have removed it by now. */
async function readList(store: Store, path: string): Promise<(Failure | undefined)[]> {
  return ((await getText(store, path)) ?? "").split("\n").filter(Boolean).map(parseFailure);
}

function parseFailure(line: string): Failure | undefined {
  try {
    return FAILURE.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
