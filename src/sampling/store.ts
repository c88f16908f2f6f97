/**
 * Where a run's files lie: a folder on disk (`folder-store.ts`), or what another store makes of these few operations.
 * Paths are relative to the run, with `/` between their parts. Nothing above this contract knows where the run is.
 */
import { sha256 } from "./hash.js";

/** A file as a store tells of it without reading it. */
export interface StoredFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Where the store knows it by itself. */
  readonly sha256?: string | undefined;
}

/** The files of one run. Every operation throws a `SamplingError` where the store refuses it. */
export interface Store {
  /** Shown in messages: a path or an address. */
  readonly place: string;
  /** The whole file; undefined where there is none. */
  get(path: string): Promise<Uint8Array | undefined>;
  /** Puts a file in one step: a reader, or a crash, sees the old file or the whole new one. Durable once resolved. */
  put(path: string, bytes: Uint8Array): Promise<void>;
  /** As `put`, but only where there is no such file yet; of several callers at once exactly one gets true. */
  create(path: string, bytes: Uint8Array): Promise<boolean>;
  /**
   * Adds whole lines to a text that only this process writes. Durable once resolved; a crash may leave a part of them. A
   * store that cannot add to a file puts a new one instead, whose path begins and ends as `path` does.
   */
  append(path: string, lines: string): Promise<void>;
  /** What is known of a file without reading it; undefined where there is none. */
  head(path: string): Promise<StoredFile | undefined>;
  /** All files whose paths begin with `prefix`, in no order. */
  list(prefix?: string): Promise<StoredFile[]>;
  /** Removes a file, if it is there. */
  remove(path: string): Promise<void>;
  /** Removes what operations of processes that are dead have left half done. */
  sweep(): Promise<void>;
}

/** A file's SHA-256, read from the file where the store does not know it; undefined where there is no file. */
export async function storedHash(store: Store, path: string): Promise<string | undefined> {
  const file = await store.head(path);
  if (file === undefined || file.sha256 !== undefined) return file?.sha256;
  const bytes = await store.get(path);
  return bytes && sha256(bytes);
}

/** A UTF-8 text; undefined where there is no such file. */
export async function getText(store: Store, path: string): Promise<string | undefined> {
  const bytes = await store.get(path);
  return bytes && new TextDecoder().decode(bytes);
}
