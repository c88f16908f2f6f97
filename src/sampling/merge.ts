/** Several folders of one run, such as its shards, become one. Nothing is taken over that does not verify. */
import { SamplingError } from "../errors.js";
import { addFailures, readFailures } from "./failures.js";
import { sha256 } from "./hash.js";
import { findPictures } from "./pictures.js";
import { copyPath, formatRecord, readLedgers, type PictureRecord } from "./records.js";
import { openRun, readPlan, readRun, requireSame, type Run } from "./run.js";
import type { Store } from "./store.js";
import type { Failure } from "./task-queue.js";

/** What came of it. */
export interface MergeReport {
  readonly place: string;
  /** Pictures of the run, copied now, there before, and in none of the folders. */
  readonly total: number;
  readonly copied: number;
  readonly skipped: number;
  readonly missing: number;
  /** Pictures that a folder holds and that are not what its ledger says: `shard-1/00003.png`. */
  readonly damaged: readonly string[];
}

/** Where a picture is to be had. */
interface Source {
  readonly store: Store;
  readonly record: PictureRecord;
}

/**
 * Copies every picture that is whole in one of `parts` into `target`, which may hold some of them already, and what they
 * say of tasks that were given up.
 *
 * @throws SamplingError where a part is of another run, and where two hold different pictures of one task; nothing is
 *   copied then
 */
export async function merge(target: Store, parts: readonly Store[]): Promise<MergeReport> {
  const [first, ...others] = parts;
  if (!first) throw new SamplingError(`${target.place}: 0 folders to merge, at least 1 is needed`);
  const run = await readRun(first);
  for (const part of others) await requireSame(part, (await readRun(part)).manifest, run);
  await openRun(target, await readPlan(first, run));
  const sources = new Map<number, Source>();
  await collect(target, run, sources);
  const damaged: string[] = [];
  for (const part of parts) damaged.push(...(await collect(part, run, sources)));
  const skipped = [...sources.values()].filter(({ store }) => store === target).length;
  for (const part of parts) await copyFrom(part, target, sources);
  await takeOverFailures(target, parts, sources);
  const total = run.tasks.length;
  return {
    place: target.place,
    total,
    copied: sources.size - skipped,
    skipped,
    missing: total - sources.size,
    damaged,
  };
}

/** Adds a store's whole pictures to those known; the damaged ones are told. */
async function collect(store: Store, run: Run, sources: Map<number, Source>): Promise<string[]> {
  const found = await findPictures(store, run.tasks);
  for (const { task, record } of found) {
    if (!record) continue;
    const known = sources.get(task.index);
    if (!known) sources.set(task.index, { store, record });
    else if (known.record.sha256 !== record.sha256) {
      throw new SamplingError(`${task.file}: ${known.store.place} and ${store.place} hold different pictures`);
    }
  }
  const damaged = found.filter(({ state }) => state === "damaged" || state === "unrecorded");
  return damaged.map(({ task }) => `${store.place}/${task.file}`);
}

/** Records of one process stay together, as those of others may have been drawn at the same time. */
async function copyFrom(part: Store, target: Store, sources: ReadonlyMap<number, Source>): Promise<void> {
  const wanted = [...sources.values()].filter(({ store }) => store === part);
  const writers = new Map<string, string>();
  for await (const { writer, records } of readLedgers(part)) {
    for (const record of records) writers.set(formatRecord(record), writer);
  }
  const ledgers = new Map<string, string>();
  for (const { record } of wanted) {
    const writer = writers.get(formatRecord(record));
    if (writer === undefined) throw changed(part, record);
    const ledger = ledgers.get(writer) ?? copyPath(writer);
    ledgers.set(writer, ledger);
    await copy({ store: part, record }, target, ledger);
  }
}

/** Failures of what nobody has drawn, except those that the target knows. */
async function takeOverFailures(
  target: Store,
  parts: readonly Store[],
  sources: ReadonlyMap<number, Source>,
): Promise<void> {
  const known = new Set((await readFailures(target)).map(({ index }) => index));
  const failures = new Map<number, Failure>();
  for (const part of parts) for (const failure of await readFailures(part)) failures.set(failure.index, failure);
  await addFailures(
    target,
    [...failures.values()].filter(({ index }) => !sources.has(index) && !known.has(index)),
  );
}

function changed({ place }: Store, { file }: PictureRecord): SamplingError {
  return new SamplingError(`${place}/${file}: changed while it was copied`);
}

/** The bytes are hashed once more on their way; the record stays what it was. */
async function copy({ store, record }: Source, target: Store, ledger: string): Promise<void> {
  const bytes = await store.get(record.file);
  if (!bytes || sha256(bytes) !== record.sha256) throw changed(store, record);
  await target.put(record.file, bytes);
  await target.append(ledger, formatRecord(record));
}
