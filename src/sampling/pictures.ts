/** Which pictures of a run are there. Nothing is trusted: a file counts if its bytes have the hash that its ledger line says. */
import { readRecords, type PictureRecord } from "./records.js";
import { storedHash, type Store } from "./store.js";
import type { Task } from "./task.js";

/**
 * `done`: recorded, and the file is what the record says. `missing`: no file. `unrecorded`: a file that no ledger knows.
 * `damaged`: another file than the recorded one.
 */
export type PictureState = "done" | "missing" | "unrecorded" | "damaged";

/** A task, and what became of it. */
export interface FoundPicture {
  readonly task: Task;
  readonly state: PictureState;
  /** Present where it is done. */
  readonly record?: PictureRecord | undefined;
}

/** Files read at the same time: enough that a distant store's answers overlap. */
const AT_ONCE = 8;

/** Looks at the pictures of `tasks`, in their order; reads every file once. */
export async function findPictures(
  store: Store,
  tasks: readonly Task[],
  onFound: (done: number) => void = () => undefined,
): Promise<FoundPicture[]> {
  const records = await readRecords(store);
  const found = new Array<FoundPicture>(tasks.length);
  let next = 0;
  let done = 0;
  const look = async (): Promise<void> => {
    for (let place = next++; place < tasks.length; place = next++) {
      const task = tasks[place]!;
      found[place] = await findPicture(store, task, records.get(task.index) ?? []);
      onFound(++done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, look));
  return found;
}

async function findPicture(store: Store, task: Task, records: readonly PictureRecord[]): Promise<FoundPicture> {
  const hash = await storedHash(store, task.file);
  if (hash === undefined) return { task, state: "missing" };
  const own = records.filter(({ file }) => file === task.file);
  const record = own.find(({ sha256 }) => sha256 === hash);
  return record ? { task, state: "done", record } : { task, state: own.length > 0 ? "damaged" : "unrecorded" };
}
