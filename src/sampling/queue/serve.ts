/** A worker: takes jobs from the queue, draws them and commits the pictures, until it is told to stop. */
import { setTimeout as delay } from "node:timers/promises";
import type { Job, Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { PictureRecord } from "../records.js";
import { connect, disconnect, isRefusal } from "./connection.js";
import { Desk, GivenBack } from "./desk.js";
import type { Order, Tools } from "./easel.js";
import { MOST_DEATHS, parseJob, QUEUE } from "./job.js";

/** What a worker does. */
export interface ServeOptions extends Tools {
  /** The queue's. */
  readonly address: string;
  /** Ends once nothing is left to draw for anybody. Default: waits for more. */
  readonly once?: boolean | undefined;
  /**
   * Seconds after which a worker that gives no sign of life has lost its jobs. Signs are given in half the time, however
   * long a picture takes, as drawing happens in a thread of its own. Default 30.
   */
  readonly lock?: number | undefined;
  readonly signal: AbortSignal;
  readonly onRecord?: ((record: PictureRecord) => void) | undefined;
  /** Told, once for each message, what Redis refuses; the worker goes on trying. */
  readonly onRefusal?: ((message: string) => void) | undefined;
  /** Told once, however the worker ends, after its jobs are given back. */
  readonly onEnd?: ((report: ServeReport) => void) | undefined;
}

/** What a worker did. */
export interface ServeReport {
  /** Pictures. */
  readonly drawn: number;
  /** Times that one could not be drawn; the queue gives it out again. */
  readonly failed: number;
}

const LOCK = 30;
/** Milliseconds between two looks whether the queue is empty, and between two tries of a call to a queue that is away. */
const PAUSE = 500;
/** Milliseconds that giving back jobs may take. */
const GOODBYE = 10_000;

/**
 * Draws until `signal` is aborted, which gives back what is being drawn and rejects with its reason, or with `once` until
 * the queue is empty.
 *
 * @throws what makes drawing hopeless on this machine: a missing model or store, failure after failure
 */
export async function serve(options: ServeOptions): Promise<ServeReport> {
  options.signal.throwIfAborted();
  const shift = new Shift(options);
  return shift.work();
}

/** From the first job to the last. */
class Shift {
  private drawn = 0;
  private failed = 0;
  private readonly refusals = new Set<string>();
  private readonly end = new AbortController();
  private readonly stop: AbortSignal;
  private readonly desk: Desk;

  constructor(private readonly options: ServeOptions) {
    this.stop = AbortSignal.any([options.signal, this.end.signal]);
    this.desk = new Desk({
      openStore: options.openStore,
      openStation: options.openStation,
      signal: this.stop,
      onRecord: (record) => this.count(record),
      onHopeless: (reason) => this.end.abort(reason),
    });
  }

  async work(): Promise<ServeReport> {
    const { Queue: JobQueue } = await import("bullmq");
    const client = await connect(this.options.address, () => this.desk.note({ event: "reconnected" }));
    const queue = new JobQueue(QUEUE, { connection: client });
    queue.on("error", () => undefined);
    const worker = await this.startWorker(client);
    try {
      await Promise.race([this.stopped(), ...(this.options.once ? [untilEmpty(queue)] : [])]);
    } finally {
      await this.finish(client, worker, queue);
      this.options.onEnd?.(this.report());
    }
    return this.report();
  }

  private report(): ServeReport {
    return { drawn: this.drawn, failed: this.failed };
  }

  /** Jobs are given back and everything is closed, as far as the queue is there to hear it. */
  private async finish(client: Redis, worker: Worker, queue: Queue): Promise<void> {
    this.end.abort();
    const late = setTimeout(() => client.disconnect(), GOODBYE);
    const steps = [() => worker.pause(true), () => worker.close(), () => this.desk.close(), () => queue.close()];
    for (const step of steps) await step().catch(() => undefined);
    clearTimeout(late);
    await disconnect(client);
  }

  /** BullMQ hands jobs over, as many at a time as the desk wants, and renews their locks. */
  private async startWorker(client: Redis): Promise<Worker> {
    const { WaitingError, Worker: JobWorker } = await import("bullmq");
    const lock = 1000 * (this.options.lock ?? LOCK);
    const draw = async (job: Job, token?: string): Promise<PictureRecord> => {
      try {
        const order = orderOf(job);
        return await this.desk.draw(order, (jobs) => (worker.concurrency = jobs));
      } catch (error) {
        if (!(error instanceof GivenBack)) throw error;
        await job.moveToWait(token);
        throw new WaitingError();
      }
    };
    const worker: Worker = new JobWorker(QUEUE, draw, {
      connection: client,
      lockDuration: lock,
      stalledInterval: lock,
      maxStalledCount: MOST_DEATHS,
      runRetryDelay: PAUSE,
    });
    worker.on("failed", () => this.failed++);
    // A queue that is away comes back, and a job whose lock was lost is somebody else's: the run's record shows both.
    worker.on("error", (error) => this.heed(error));
    return worker;
  }

  private heed(error: unknown): void {
    if (!isRefusal(error) || this.refusals.has(error.message)) return;
    this.refusals.add(error.message);
    this.options.onRefusal?.(error.message);
  }

  private count(record: PictureRecord): void {
    this.drawn++;
    this.options.onRecord?.(record);
  }

  /** Never resolves. */
  private stopped(): Promise<never> {
    return new Promise((_, reject) => {
      const stop = (): void => reject(this.stop.reason as Error);
      this.stop.addEventListener("abort", stop, { once: true });
      if (this.stop.aborted) stop();
    });
  }
}

function orderOf(job: Job): Order {
  const { attemptsMade, failedReason, stalledCounter } = job;
  return { job: parseJob(job.data), failures: attemptsMade, message: failedReason, deaths: stalledCounter };
}

/** Resolves where no job waits, is delayed, or is being drawn by whomever. */
async function untilEmpty(queue: Queue): Promise<void> {
  while ((await queue.getJobCountByTypes("wait", "prioritized", "delayed", "active")) > 0) await delay(PAUSE);
}
