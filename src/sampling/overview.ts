/** What became of a run, by its folder alone: how complete it is, what it held and how fast it was drawn. */
import { readFailures } from "./failures.js";
import { findPictures, type FoundPicture } from "./pictures.js";
import { readLedgers, type PictureRecord } from "./records.js";
import { readRun, type Run } from "./run.js";
import type { Store } from "./store.js";
import type { Failure } from "./task-queue.js";

/** Pictures of a run by what became of them; the last four sum up to `total`. */
export interface Completeness {
  readonly total: number;
  /** There, and what their records say. */
  readonly done: number;
  /** Not there, and given up. */
  readonly failed: number;
  /** Not there yet. */
  readonly missing: number;
  /** There, but not what a record says: the next `scalekv sample` draws them again. */
  readonly damaged: number;
}

/** What drawing took, by the records of the pictures that are done. */
export interface Cost {
  /** What the cache held for one image at most, in bytes: the mean over pictures, and the largest. */
  readonly cacheMeanBytes: number;
  readonly cachePeakBytes: number;
  /** The most that one process held, as the operating system counts; 0 where it does not tell. */
  readonly processPeakBytes: number;
  /** Of one process, the mean over images; a picture may show several. */
  readonly secondsPerImage: number;
  /** Of all processes together, while at least one was drawing. */
  readonly imagesPerSecond: number;
}

/** A run, and what became of it. */
export interface RunOverview {
  readonly store: Store;
  readonly run: Run;
  /** In the order of the tasks. */
  readonly pictures: readonly FoundPicture[];
  /** Of pictures that are not done. */
  readonly failures: readonly Failure[];
  readonly complete: Completeness;
  /** Absent where nothing is done. */
  readonly cost: Cost | undefined;
}

/**
 * Reads a run; every picture is read and hashed once, and none is kept.
 *
 * @throws SamplingError where there is no run, or a file of it that is no picture is missing or damaged
 */
export async function readOverview(
  store: Store,
  onFound?: (done: number, total: number) => void,
): Promise<RunOverview> {
  const run = await readRun(store);
  const total = run.tasks.length;
  const pictures = await findPictures(store, run.tasks, (done) => onFound?.(done, total));
  const undone = new Map(pictures.flatMap(({ task, state }) => (state === "done" ? [] : [[task.index, state]])));
  const failures = (await readFailures(store)).filter(({ index }) => undone.has(index));
  const given = new Set(failures.map(({ index }) => index));
  const others = [...undone].filter(([index]) => !given.has(index)).map(([, state]) => state);
  const missing = others.filter((state) => state === "missing").length;
  const complete: Completeness = {
    total,
    done: total - undone.size,
    failed: given.size,
    missing,
    damaged: others.length - missing,
  };
  return { store, run, pictures, failures, complete, cost: await readCost(store, run, pictures) };
}

async function readCost(store: Store, run: Run, pictures: readonly FoundPicture[]): Promise<Cost | undefined> {
  const records = pictures.flatMap(({ record }) => record ?? []);
  if (records.length === 0) return undefined;
  const writers = await recordsByWriter(store);
  const images = (all: readonly PictureRecord[]): number =>
    all.reduce((sum, { index }) => sum + (run.tasks[index]?.seeds.length ?? 0), 0);
  const sum = (of: (record: PictureRecord) => number): number => records.reduce((all, record) => all + of(record), 0);
  const most = (of: (record: PictureRecord) => number): number =>
    records.reduce((largest, record) => Math.max(largest, of(record)), 0);
  return {
    cacheMeanBytes: sum(({ cacheBytes }) => cacheBytes) / records.length,
    cachePeakBytes: most(({ cacheBytes }) => cacheBytes),
    processPeakBytes: most(({ peakBytes }) => peakBytes),
    secondsPerImage: sum(({ seconds }) => seconds) / images(records),
    imagesPerSecond: images(writers.flat()) / busySeconds(writers),
  };
}

/** What each process drew, in however many files it says so. */
async function recordsByWriter(store: Store): Promise<PictureRecord[][]> {
  const found = new Map<string, PictureRecord[]>();
  for await (const { writer, records } of readLedgers(store)) {
    const own = found.get(writer);
    if (own) own.push(...records);
    else found.set(writer, [...records]);
  }
  return [...found.values()];
}

/**
 * Time in which at least one process was drawing: pauses between a stop and a resume do not count. A process, whose
 * records are one of the lists, drew up to its last record, for as long as its pictures' shares of its batches say, or from its first record on where
 * that was earlier, since it may have waited in between.
 */
export function busySeconds(writers: readonly (readonly PictureRecord[])[]): number {
  const spans = writers
    .filter((records) => records.length > 0)
    .map((records) => {
      const ends = records.map(({ finished }) => Date.parse(finished) / 1000);
      const first = ends.reduce((least, end) => Math.min(least, end));
      const last = ends.reduce((most, end) => Math.max(most, end));
      const drawing = records.reduce((sum, { seconds }) => sum + seconds, 0);
      return { begun: Math.min(first, last - drawing), ended: last };
    });
  let busy = 0;
  let until = -Infinity;
  for (const { begun, ended } of spans.toSorted((a, b) => a.begun - b.begun)) {
    busy += Math.max(0, ended - Math.max(begun, until));
    until = Math.max(until, ended);
  }
  return busy;
}
