/** Several folders of one run, such as its shards, become one. Nothing is taken over that does not verify. */
import { SamplingError } from "../errors.js";
import { sha256 } from "./hash.js";
import { findPictures } from "./pictures.js";
import { formatRecord, ledgerPath, type PictureRecord } from "./records.js";
import { openRun, readPlan, readRun, requireSame, type Run } from "./run.js";
import type { Store } from "./store.js";

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
 * Copies every picture that is whole in one of `parts` into `target`, which may hold some of them already.
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
  const ledger = ledgerPath();
  for (const source of sources.values()) if (source.store !== target) await copy(source, target, ledger);
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

/** The bytes are hashed once more on their way; the record stays what it was. */
async function copy({ store, record }: Source, target: Store, ledger: string): Promise<void> {
  const bytes = await store.get(record.file);
  if (!bytes || sha256(bytes) !== record.sha256) {
    throw new SamplingError(`${store.place}/${record.file}: changed while it was copied`);
  }
  await target.put(record.file, bytes);
  await target.append(ledger, formatRecord(record));
}
