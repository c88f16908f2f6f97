/** A sampler that draws nothing itself: it puts tasks into the queue and collects what workers make of them. */
import { setTimeout as delay } from "node:timers/promises";
import { SamplingError } from "../../errors.js";
import type { Failure } from "../task-queue.js";
import type { Task } from "../task.js";
import { Collector, type Collection } from "./collector.js";
import { isRefusal } from "./connection.js";
import { openLine, type Line } from "./line.js";

/** What is to be drawn, and where the queue is. */
export interface QueueWork extends Omit<Collection, "queue"> {
  /** The queue's. */
  readonly address: string;
  readonly tasks: readonly Task[];
  /** Seconds before a task that failed is tried again; each further pause is twice as long. Default 2. */
  readonly pause?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Seconds; six tries span a minute, in which a store or a network may come back. */
const PAUSE = 2;
/** Milliseconds between two looks at what has come. */
const TICK = 100;
/** Milliseconds between two times that the queue is asked about everything; it is also after each reconnection. */
const RECONCILE = 15_000;
/** Milliseconds that taking jobs back may take. */
const GOODBYE = 5_000;

/**
 * Has tasks drawn by whoever works on the queue; resolves with those that could not be, in the order of their numbers.
 * Aborted, it takes back what no worker has begun, and rejects with the signal's reason.
 *
 * @throws OptionError where the queue cannot be reached at first
 */
export async function drawByQueue({ address, tasks, pause = PAUSE, signal, ...work }: QueueWork): Promise<Failure[]> {
  if (tasks.length === 0) return [];
  signal?.throwIfAborted();
  const line = await openLine(address, pause);
  const collector = new Collector({ ...work, queue: line.queue });
  try {
    await abortable(collect(collector, line, tasks, signal), signal);
  } catch (error) {
    if (signal?.aborted) await Promise.race([collector.takeBack(), delay(GOODBYE)]);
    if (isRefusal(error)) throw new SamplingError(`the queue refuses: ${error.message}`, { cause: error });
    throw error;
  } finally {
    await line.close();
  }
  return collector.failures.sort((a, b) => a.index - b.index);
}

async function collect(
  collector: Collector,
  line: Line,
  tasks: readonly Task[],
  signal: AbortSignal | undefined,
): Promise<void> {
  line.onCompleted((name, result) => collector.completed(name, result));
  line.onFailed((name) => collector.failed(name));
  await collector.enqueue(tasks, false);
  let asked = -Infinity;
  while (collector.open > 0 && !signal?.aborted) {
    const back = line.hasReconnected();
    if (back) await collector.note("reconnected");
    if (back || performance.now() - asked > RECONCILE) {
      await collector.reconcile();
      asked = performance.now();
    }
    await collector.look();
    if (collector.open > 0) await delay(TICK);
  }
}

/** A queue that is away lets its callers wait; who is aborted does not. What `work` still does, it does for nobody. */
async function abortable(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return work;
  const end = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { signal: end.signal });
  });
  await Promise.race([work, aborted]).finally(() => {
    end.abort();
    work.catch(() => undefined);
  });
}
