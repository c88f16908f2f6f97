/** A sampler's line to the queue: its jobs, and the news of what workers make of them. */
import type { JobsOptions, Queue } from "bullmq";
import { connect, disconnect } from "./connection.js";
import { MOST_ATTEMPTS, QUEUE, type TaskJob } from "./job.js";

/** Whoever opens it calls `close`. */
export interface Line {
  readonly queue: Queue<TaskJob>;
  /** A job is done; `result` is what its worker says. News may be missed while the queue is away. */
  onCompleted(listener: (name: string, result: unknown) => void): void;
  /** A job is given up for good. */
  onFailed(listener: (name: string) => Promise<void>): void;
  /** Whether the queue was away since this was last asked. */
  hasReconnected(): boolean;
  close(): Promise<void>;
}

/** Seconds that the queue remembers what became of a job: longer than a sampler can miss its news. */
const REMEMBERED = 3600;

/** @param pause seconds; see {@link QueueWork} @throws OptionError where the queue cannot be reached */
export async function openLine(address: string, pause: number): Promise<Line> {
  const { Queue: JobQueue, QueueEvents } = await import("bullmq");
  let reconnected = false;
  const client = await connect(address, () => (reconnected = true));
  const defaultJobOptions: JobsOptions = {
    attempts: MOST_ATTEMPTS,
    backoff: { type: "exponential", delay: 1000 * pause },
    removeOnComplete: { age: REMEMBERED },
    removeOnFail: { age: REMEMBERED },
    stackTraceLimit: 0,
  };
  const queue: Queue<TaskJob> = new JobQueue(QUEUE, { connection: client, defaultJobOptions });
  // It waits for news, which takes a connection of its own.
  const ear = client.duplicate();
  ear.on("error", () => undefined);
  const news = new QueueEvents(QUEUE, { connection: ear });
  queue.on("error", () => undefined);
  news.on("error", () => undefined);
  return {
    queue,
    onCompleted: (listener) => {
      news.on("completed", ({ jobId, returnvalue }) => listener(jobId, returnvalue));
    },
    onFailed: (listener) => {
      // What fails to be heard now shows when the queue is asked about everything.
      news.on("failed", ({ jobId }) => void listener(jobId).catch(() => undefined));
    },
    hasReconnected: () => {
      const was = reconnected;
      reconnected = false;
      return was;
    },
    close: async () => {
      await news.close();
      ear.disconnect();
      await queue.close();
      await disconnect(client);
    },
  };
}
