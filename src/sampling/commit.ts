/**
 * How a drawn picture becomes part of a run: first the whole file under its name, then its line in the ledger. Whoever
 * draws a picture that is there already puts the same bytes in its place, so drawing one twice does no harm.
 */
import type { Picture } from "./artist.js";
import { formatRecord, type PictureRecord } from "./records.js";
import type { Store } from "./store.js";

/** Puts a picture into the store and records it in this process's own ledger (`ledgerPath()`). */
export async function commit(store: Store, ledger: string, { bytes, ...facts }: Picture): Promise<PictureRecord> {
  const record = { ...facts, bytes: bytes.length, finished: new Date().toISOString() };
  await store.put(record.file, bytes);
  await store.append(ledger, formatRecord(record));
  return record;
}
