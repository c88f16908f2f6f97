/** A place where pictures of a run are drawn and committed: this process, or one of its children (`child-station.ts`). */
import { Artist, type ArtistOptions } from "./artist.js";
import { commit } from "./commit.js";
import { ledgerPath, type PictureRecord } from "./records.js";
import type { Run } from "./run.js";
import type { Store } from "./store.js";

/** One of the places; whoever opens it calls `close`. */
export interface Station {
  /** Images drawn at once. */
  readonly batch: number;
  /**
   * Draws these pictures and commits them, telling of each that is. Rejects where one cannot be, and with the signal's
   * reason once it is aborted; what was told of stays.
   */
  draw(indices: readonly number[], onRecord: (record: PictureRecord) => void, signal?: AbortSignal): Promise<void>;
  /** Frees the model; may reject where the station has died. */
  close(): Promise<void>;
}

/** A station in this process. */
export async function openStation(store: Store, run: Run, options: ArtistOptions): Promise<Station> {
  const artist = await Artist.open(run, options);
  const ledger = ledgerPath();
  return {
    batch: artist.batch,
    async draw(indices, onRecord, signal) {
      for (const picture of await artist.draw(indices, signal)) onRecord(await commit(store, ledger, picture));
    },
    close: () => artist.dispose(),
  };
}
