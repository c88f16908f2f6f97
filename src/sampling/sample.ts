/** A run from its folder's first file to its last picture: what is there is checked, what is missing is drawn. */
import { failureLists, replaceFailures } from "./failures.js";
import { findPictures } from "./pictures.js";
import type { PictureRecord } from "./records.js";
import type { Run } from "./run.js";
import type { Store } from "./store.js";
import type { Task } from "./task.js";
import type { Failure } from "./task-queue.js";
import { tasksOf, type Shard } from "./task-list.js";

/** What is to be done. */
export interface SampleTask {
  readonly store: Store;
  readonly run: Run;
  /** Default: the whole run. */
  readonly shard?: Shard | undefined;
  /** Has tasks drawn, here (`machine.ts`) or elsewhere (`queue/`); resolves with those that could not be. */
  readonly drawAll: (work: Work) => Promise<Failure[]>;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: SampleProgress) => void) | undefined;
}

/** Tasks that are to be drawn and committed. */
export interface Work {
  readonly tasks: readonly Task[];
  /** Told once somebody can draw: loading says nothing about how long the rest will take. */
  readonly onReady: () => void;
  readonly onRecord: (record: PictureRecord) => void;
  readonly signal?: AbortSignal | undefined;
}

/** `done` of `total` pictures are looked at, or there; `drawn` of them now, `seconds` since the first model was loaded. */
export type SampleProgress =
  | { readonly stage: "check"; readonly done: number; readonly total: number }
  | {
      readonly stage: "draw";
      readonly done: number;
      readonly total: number;
      readonly drawn: number;
      readonly seconds: number;
    };

/** What was done. */
export interface SampleReport {
  /** Folder or address. */
  readonly place: string;
  /** Pictures of the shard. */
  readonly total: number;
  /** Drawn now, there before, and not to be drawn. */
  readonly drawn: number;
  readonly skipped: number;
  readonly failed: readonly Failure[];
  /** Time since the first model began to load, and pictures drawn in each second of it. */
  readonly seconds: number;
  readonly perSecond: number;
  /** The most that one process held, as the operating system counts, and the cache of one image; 0 where nothing was drawn. */
  readonly peakBytes: number;
  readonly cacheBytes: number;
}

/** Draws what is missing. Aborted, it rejects with the signal's reason, and what was drawn stays. */
export async function sample({ store, run, shard, drawAll, signal, onProgress }: SampleTask): Promise<SampleReport> {
  const tasks = shard ? tasksOf(run.tasks, shard) : run.tasks;
  const total = tasks.length;
  await store.sweep();
  const before = await failureLists(store);
  const found = await findPictures(store, tasks, (done) => {
    signal?.throwIfAborted();
    onProgress?.({ stage: "check", done, total });
  });
  const missing = found.filter(({ state }) => state !== "done").map(({ task }) => task);
  const skipped = total - missing.length;
  const sinceBegun = stopwatch();
  let sinceReady = sinceBegun;
  const onReady = (): void => {
    if (sinceReady === sinceBegun) sinceReady = stopwatch();
  };
  const records: PictureRecord[] = [];
  const onRecord = (record: PictureRecord): void => {
    const drawn = records.push(record);
    onProgress?.({ stage: "draw", done: skipped + drawn, total, drawn, seconds: sinceReady() });
  };
  const failed = await drawAll({ tasks: missing, onReady, onRecord, signal });
  // A process that died on the way has left what it was writing.
  await store.sweep();
  await replaceFailures(store, { tasks, failed, before });
  const seconds = sinceBegun();
  return {
    place: store.place,
    total,
    drawn: records.length,
    skipped,
    failed,
    seconds,
    perSecond: records.length / seconds,
    peakBytes: most(records, ({ peakBytes }) => peakBytes),
    cacheBytes: most(records, ({ cacheBytes }) => cacheBytes),
  };
}

/** Seconds since it was made. */
function stopwatch(): () => number {
  const begun = performance.now();
  return () => (performance.now() - begun) / 1000;
}

function most(records: readonly PictureRecord[], of: (record: PictureRecord) => number): number {
  return records.reduce((largest, record) => Math.max(largest, of(record)), 0);
}
