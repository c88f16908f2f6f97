/**
 * Where a worker's jobs come together: the queue hands them over one by one, and they are drawn batch by batch, each batch
 * from one run.
 */
import { setTimeout as delay } from "node:timers/promises";
import { ScaleKVError } from "../../errors.js";
import type { PictureRecord } from "../records.js";
import { Easel, mayBeThere, type Note, type Order, type Tools } from "./easel.js";

/** What a desk works with. */
export interface DeskOptions extends Tools {
  readonly onRecord: (record: PictureRecord) => void;
  /** This machine had better draw no more. */
  readonly onHopeless: (reason: unknown) => void;
  /** Gives up what is being drawn. */
  readonly signal: AbortSignal;
}

/** A job that was not drawn because the worker stops; another shall have it. */
export class GivenBack extends Error {
  constructor() {
    super("the worker stopped");
    this.name = "GivenBack";
  }
}

/** Milliseconds in which jobs of one batch follow each other; the queue answers much faster. */
const GATHERING = 50;
/** Failures in a row after which the fault is likely here: a full disk, a broken device. */
const MOST_IN_A_ROW = 8;
/** Times in a row that a model may fail to load, other than by bad input. */
const MOST_STARTS = 3;

/** A job that waits for its batch. */
interface Waiting {
  readonly order: Order;
  readonly resolve: (record: PictureRecord) => void;
  readonly reject: (reason: unknown) => void;
  /** Told how many jobs are wanted at the same time. */
  readonly onRoom: (jobs: number) => void;
}

/** Whoever makes it calls `close`. */
export class Desk {
  private readonly waiting: Waiting[] = [];
  private working: Promise<void> | undefined;
  /** Tells who gathers a batch that another job has come. */
  private wake: (() => void) | undefined;
  private easel: Easel | undefined;
  private notes: Note[] = [];
  private failedStarts = 0;
  private failedInARow = 0;
  private hopeless = false;

  constructor(private readonly options: DeskOptions) {}

  /**
   * Has a job drawn; once its model is loaded, `onRoom` hears how many jobs are wanted at the same time.
   *
   * @throws GivenBack where the worker stops first, and otherwise what went wrong
   */
  draw(order: Order, onRoom: (jobs: number) => void): Promise<PictureRecord> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ order, onRoom, resolve, reject });
      this.wake?.();
      this.working ??= this.work();
    });
  }

  /** Keeps an event for the record of the run that is drawn next. */
  note(event: Note): void {
    this.notes.push(event);
  }

  /** Waits for what is being drawn, and frees the model. */
  async close(): Promise<void> {
    await this.working;
    await this.easel?.note(this.notes.splice(0)).catch(() => undefined);
    await this.clear();
  }

  private async work(): Promise<void> {
    // The caller must have the promise of this work before it can end.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      await this.gather();
      const batch = this.stopped ? this.waiting.splice(0) : await this.nextBatch();
      await this.drawBatch(batch);
    }
    this.working = undefined;
  }

  private get stopped(): boolean {
    return this.hopeless || this.options.signal.aborted;
  }

  /** Waits until the batch is full, or until nobody has come for a while. */
  private async gather(): Promise<void> {
    const room = this.easel?.room ?? 1;
    while (this.waiting.length < room) {
      const before = this.waiting.length;
      await Promise.race([delay(GATHERING), new Promise<void>((resolve) => (this.wake = resolve))]);
      if (this.waiting.length === before) return;
    }
  }

  /** The first that waits and those like it, with the run's model loaded; just the first, if that does not work. */
  private async nextBatch(): Promise<Waiting[]> {
    const first = this.waiting[0]!;
    const { job } = first.order;
    try {
      await this.prepare(first);
    } catch (error) {
      this.waiting.shift();
      first.reject(this.reasonOf(error));
      return [];
    }
    // What has spoilt a batch before is drawn by itself.
    const alone = mayBeThere(first.order);
    const fits = ({ order }: Waiting): boolean => order.job.run === job.run && !mayBeThere(order);
    const batch = alone ? [first] : this.waiting.filter(fits).slice(0, this.easel!.room);
    for (const one of batch) this.waiting.splice(this.waiting.indexOf(one), 1);
    return batch;
  }

  /** Opens the easel of a job's run, unless it stands already. */
  private async prepare({ order: { job }, onRoom }: Waiting): Promise<void> {
    if (this.easel?.id === job.run) return;
    await this.clear();
    try {
      this.easel = await Easel.open(job, this.options, this.options.signal);
      this.failedStarts = 0;
      onRoom(this.easel.room);
    } catch (error) {
      // Bad input will not get better here; what else went wrong may have been the moment's.
      if (error instanceof ScaleKVError || ++this.failedStarts === MOST_STARTS) this.giveUp(error);
      throw error;
    }
  }

  private async drawBatch(batch: readonly Waiting[]): Promise<void> {
    const { easel, options } = this;
    if (batch.length === 0) return;
    try {
      if (!easel || this.stopped) throw new GivenBack();
      await easel.note(this.notes.splice(0));
      const told = (record: PictureRecord): void => {
        this.failedInARow = 0;
        batch.find(({ order }) => order.job.index === record.index)?.resolve(record);
        options.onRecord(record);
      };
      await easel.draw(
        batch.map(({ order }) => order),
        told,
        options.signal,
      );
    } catch (error) {
      // Those that are drawn have been told, and do not hear this.
      for (const { reject } of batch) reject(this.reasonOf(error));
      if (this.stopped) return;
      // After an error nobody knows what state the model is in.
      await this.clear();
      if (++this.failedInARow === MOST_IN_A_ROW) this.giveUp(error);
    }
  }

  private async clear(): Promise<void> {
    const { easel } = this;
    this.easel = undefined;
    // A model that broke cannot be freed in good order; nothing of it is used again.
    await easel?.close().catch(() => undefined);
  }

  /** What comes of a stop is no failure; what makes drawing hopeless is one. */
  private reasonOf(error: unknown): unknown {
    return this.options.signal.aborted && !this.hopeless ? new GivenBack() : error;
  }

  private giveUp(reason: unknown): void {
    this.hopeless = true;
    this.options.onHopeless(reason);
  }
}
