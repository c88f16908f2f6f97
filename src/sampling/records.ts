/**
 * The ledgers: one line for every picture that lies in the store under its name. Every process writes a ledger of its
 * own, so none can spoil another's; a line that a crash cut off counts for nothing, and its picture is drawn again.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { z } from "zod";
import { RECORDS } from "./manifest.js";
import { SHA256 } from "./settings.js";
import { getText, type Store } from "./store.js";

/** What is known of a picture that was drawn. */
export interface PictureRecord {
  /** The task's. */
  readonly index: number;
  readonly file: string;
  readonly sha256: string;
  /** Of the file. */
  readonly bytes: number;
  /** The picture's share of the time its batch took. */
  readonly seconds: number;
  /** The most that the cache held for one of its images. */
  readonly cacheBytes: number;
  /** The most the process that drew it ever held, as the operating system counts; 0 where it does not tell. */
  readonly peakBytes: number;
  /** When it was committed: UTC, ISO 8601. */
  readonly finished: string;
}

const SCHEMA: z.ZodType<PictureRecord> = z.strictObject({
  index: z.int().nonnegative(),
  file: z.string(),
  sha256: SHA256,
  bytes: z.int().nonnegative(),
  seconds: z.number().nonnegative(),
  cacheBytes: z.number().nonnegative(),
  peakBytes: z.number().nonnegative(),
  finished: z.iso.datetime(),
});

/** A part of a file's name that no other process has, and no other file of this one. */
export function processName(): string {
  const host = hostname().replaceAll(/[^\w-]/g, "_");
  return `${host}-${process.pid}-${randomUUID().slice(0, 8)}`;
}

/** A new ledger's path, which no other process has. */
export function ledgerPath(): string {
  return `${RECORDS}${processName()}.jsonl`;
}

/** What follows a process's name where a store put lines into a file of their own (`s3-store.ts`), or in a copy. */
const FOLLOWING = /(?:-\d{13}-[0-9a-f]{8})+$/;

/** Who wrote a ledger, by its path: the same for all files of one process, and for copies of them. */
export function writerOf(path: string): string {
  return path.slice(RECORDS.length, -".jsonl".length).replace(FOLLOWING, "");
}

/** A new path for a copy of what somebody wrote, which no other process has either. */
export function copyPath(writer: string): string {
  return `${RECORDS}${writer}-${Date.now()}-${randomUUID().slice(0, 8)}.jsonl`;
}

/** One line, with its end. */
export function formatRecord(record: PictureRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** The whole lines of a ledger. What is no record, or has no end of line, is passed over. */
export function parseRecords(text: string): PictureRecord[] {
  return text
    .split("\n")
    .slice(0, -1)
    .flatMap((line) => parseRecord(line) ?? []);
}

function parseRecord(line: string): PictureRecord | undefined {
  try {
    return SCHEMA.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** Records of one file; a store that cannot append has several files for one writer. */
export interface Ledger {
  /** See {@link writerOf}. */
  readonly writer: string;
  readonly records: readonly PictureRecord[];
}

/** One ledger after the other. */
export async function* readLedgers(store: Store): AsyncGenerator<Ledger> {
  const ledgers = (await store.list(RECORDS)).filter(({ path }) => path.endsWith(".jsonl"));
  for (const { path } of ledgers) {
    yield { writer: writerOf(path), records: parseRecords((await getText(store, path)) ?? "") };
  }
}

/** All records of a run, by the index of their task; two processes may have drawn the same picture. */
export async function readRecords(store: Store): Promise<Map<number, PictureRecord[]>> {
  const found = new Map<number, PictureRecord[]>();
  for await (const { records } of readLedgers(store)) {
    for (const record of records) {
      const others = found.get(record.index);
      if (others) others.push(record);
      else found.set(record.index, [record]);
    }
  }
  return found;
}
