/** A run set up for drawing on a worker: its store is read, its model loaded. */
import { SamplingError } from "../../errors.js";
import { findPictures } from "../pictures.js";
import { ledgerPath, type PictureRecord } from "../records.js";
import { readRun, type Run } from "../run.js";
import type { Station } from "../station.js";
import type { Store } from "../store.js";
import { note, type RunEvent } from "./events.js";
import { runId, type TaskJob } from "./job.js";

/** A job that a worker was given, and what became of it before. */
export interface Order {
  readonly job: TaskJob;
  /** How often it failed, and why the last time. */
  readonly failures: number;
  readonly message?: string | undefined;
  /** How many workers went silent over it. */
  readonly deaths: number;
}

/** What a worker brings along. */
export interface Tools {
  /** The store at a job's place; a worker may see it under another path. */
  readonly openStore: (place: string) => Promise<Store>;
  readonly openStation: (store: Store, run: Run, signal: AbortSignal) => Promise<Station>;
}

/** An event that is yet to be written. */
export type Note = Omit<RunEvent, "when">;

/** Whoever opens it calls `close`. */
export class Easel {
  private readonly ledger = ledgerPath();

  private constructor(
    /** {@link runId} of the run. */
    readonly id: string,
    private readonly store: Store,
    private readonly run: Run,
    private readonly station: Station,
  ) {}

  /** @throws SamplingError where the run is not the job's, and whatever reading it and loading its model throws */
  static async open({ run: id, place }: TaskJob, tools: Tools, signal: AbortSignal): Promise<Easel> {
    const store = await tools.openStore(place);
    const run = await readRun(store);
    if (runId(run.manifest, place) !== id)
      throw new SamplingError(`${store.place}: holds another run than the queue's`);
    return new Easel(id, store, run, await tools.openStation(store, run, signal));
  }

  /** Tasks of this run that fit at once; all of them have as many images as the first. */
  get room(): number {
    return Math.max(1, Math.floor(this.station.batch / (this.run.tasks[0]?.seeds.length ?? 1)));
  }

  /** Has these tasks drawn, or finds that they are; tells of each. Rejects as {@link Station.draw} does. */
  async draw(orders: readonly Order[], onRecord: (record: PictureRecord) => void, signal: AbortSignal): Promise<void> {
    await this.note(orders.flatMap(noteOf));
    const there = await this.alreadyThere(orders.filter(mayBeThere));
    there.forEach(onRecord);
    const known = new Set(there.map(({ index }) => index));
    const indices = orders.map(({ job }) => job.index).filter((index) => !known.has(index));
    if (indices.length > 0) await this.station.draw(indices, onRecord, signal);
  }

  /** Writes events into this run's record. */
  async note(events: readonly Note[]): Promise<void> {
    await note(this.store, this.ledger, events);
  }

  async close(): Promise<void> {
    await this.station.close();
  }

  private async alreadyThere(orders: readonly Order[]): Promise<PictureRecord[]> {
    if (orders.length === 0) return [];
    const tasks = orders.flatMap(({ job }) => this.run.tasks[job.index] ?? []);
    return (await findPictures(this.store, tasks)).flatMap(({ record }) => record ?? []);
  }
}

/** Whoever died or failed may have done so after the picture was committed. */
export function mayBeThere({ job, failures, deaths }: Order): boolean {
  return job.again || failures > 0 || deaths > 0;
}

function noteOf({ job: { index }, failures, message, deaths }: Order): Note[] {
  if (failures > 0) return [{ event: "retry", index, message }];
  return deaths > 0 ? [{ event: "taken over", index }] : [];
}
