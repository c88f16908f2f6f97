/** Deals tasks to stations, each of which takes the next ones as soon as it is free. */
import { ScaleKVError } from "../errors.js";
import type { PictureRecord } from "./records.js";
import type { Station } from "./station.js";
import type { Task } from "./task.js";
import { TaskQueue, type Failure } from "./task-queue.js";

/** Work to be dealt. */
export interface Deal {
  readonly tasks: readonly Task[];
  /** How many stations draw at the same time. */
  readonly stations: number;
  /** Opens the station with this number, from 0; anew where one has failed. */
  readonly open: (station: number, signal: AbortSignal) => Promise<Station>;
  readonly onRecord: (record: PictureRecord) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Times in a row that a station may fail to open, other than by bad input. */
const MOST_STARTS = 3;

/**
 * Has all tasks drawn; resolves with those that could not be, in the order of their numbers.
 *
 * @throws the signal's reason once it is aborted, and an error of ours where a station cannot be opened because of it
 */
export async function deal({ tasks, stations, open, onRecord, signal }: Deal): Promise<Failure[]> {
  const seats = Math.min(stations, tasks.length);
  const queue = new TaskQueue(tasks, seats);
  // Where one station finds that nobody can draw this run, the others need not go on.
  const hopeless = new AbortController();
  const stop = signal ? AbortSignal.any([signal, hopeless.signal]) : hopeless.signal;
  stop.addEventListener("abort", () => queue.stop());
  const serve = async (seat: number): Promise<void> => {
    try {
      await new Seat(queue, () => open(seat, stop), onRecord, stop).serve();
    } catch (error) {
      hopeless.abort(error);
      throw error;
    }
  };
  await settleAll(Array.from({ length: seats }, (_, seat) => serve(seat)));
  signal?.throwIfAborted();
  return queue.failures.sort((a, b) => a.index - b.index);
}

/** One place at the table: a station, or its successor. */
class Seat {
  private station: Station | undefined;
  /** In a row, and why the last did. */
  private failedStarts = 0;
  private reason: unknown;

  constructor(
    private readonly queue: TaskQueue,
    private readonly open: () => Promise<Station>,
    private readonly onRecord: (record: PictureRecord) => void,
    private readonly signal: AbortSignal,
  ) {}

  async serve(): Promise<void> {
    try {
      while (this.failedStarts < MOST_STARTS && (await this.queue.pending())) {
        this.signal.throwIfAborted();
        this.station ??= await this.start();
        if (this.station) await this.drawNext(this.station);
      }
      if (this.failedStarts === MOST_STARTS) this.queue.leave(this.reason);
    } finally {
      await this.station?.close();
    }
  }

  /** Bad input will not get better; a process that died may have died of something else. */
  private async start(): Promise<Station | undefined> {
    try {
      const station = await this.open();
      this.failedStarts = 0;
      return station;
    } catch (error) {
      this.signal.throwIfAborted();
      if (error instanceof ScaleKVError) throw error;
      this.failedStarts++;
      this.reason = error;
      return undefined;
    }
  }

  private async drawNext(station: Station): Promise<void> {
    const tasks = this.queue.take(station.batch);
    if (tasks.length === 0) return;
    const told = (record: PictureRecord): void => {
      this.queue.done(record.index);
      this.onRecord(record);
    };
    try {
      await station.draw(
        tasks.map(({ index }) => index),
        told,
        this.signal,
      );
    } catch (error) {
      this.signal.throwIfAborted();
      this.queue.failed(tasks, error);
      // Nobody knows what state it is in, or whether it is there at all to be closed: its successor is what matters.
      this.station = undefined;
      await station.close().catch(() => undefined);
    }
  }
}

/** Waits for all, so that nothing goes on behind the caller's back, and throws the first error. */
async function settleAll(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}
