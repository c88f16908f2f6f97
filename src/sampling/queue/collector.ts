/** The pictures that a sampler has put into the queue: who tells that one is drawn is not believed until it is seen. */
import type { Job, Queue } from "bullmq";
import { absolutePlace } from "../open-store.js";
import { findPictures } from "../pictures.js";
import { ledgerPath, parseRecords, type PictureRecord } from "../records.js";
import type { Run } from "../run.js";
import { storedHash, type Store } from "../store.js";
import type { Task } from "../task.js";
import type { Failure } from "../task-queue.js";
import { note, type RunEvent } from "./events.js";
import { jobId, runId, type TaskJob } from "./job.js";

/** Jobs that are sent, or looked at, together. */
const AT_ONCE = 256;
/** Pictures that are read at the same time. */
const READ_AT_ONCE = 8;
/** Seconds that a file may take to be seen from here: network folders remember for a minute what was not there. */
const PATIENCE = 90;

/** A task that is drawn, as a worker says. */
interface Arrival {
  readonly task: Task;
  readonly record: PictureRecord;
  /** By `performance.now()`. */
  readonly since: number;
}

/** What a collector works on. */
export interface Collection {
  readonly queue: Queue<TaskJob>;
  readonly store: Store;
  readonly run: Run;
  readonly onRecord: (record: PictureRecord) => void;
  /** Seconds after which a picture that is said to be drawn, and cannot be seen, is drawn again. Default 90. */
  readonly patience?: number | undefined;
}

/** One sampler's tasks. */
export class Collector {
  readonly failures: Failure[] = [];
  private readonly ledger = ledgerPath();
  /** The store's, as workers are told. */
  private readonly place: string;
  private readonly id: string;
  /** By the job's name. */
  private readonly pending = new Map<string, Task>();
  private readonly arrivals = new Map<string, Arrival>();
  /** Tasks that had to be drawn once more because their picture never came. */
  private readonly redrawn = new Set<string>();

  constructor(private readonly work: Collection) {
    this.place = absolutePlace(work.store.place);
    this.id = runId(work.run.manifest, this.place);
  }

  /** How many are neither seen nor given up. */
  get open(): number {
    return this.pending.size;
  }

  /** Puts tasks into the queue; those that are there already stay what they are. */
  async enqueue(tasks: readonly Task[], again: boolean): Promise<void> {
    const { place, work } = this;
    const { queue } = work;
    for (const task of tasks) this.pending.set(this.nameOf(task), task);
    // What an earlier sampler left behind would stand in the way of its own successor.
    const finished = await queue.getRanges(["completed", "failed"], 0, -1);
    const own = new Set(tasks.map((task) => this.nameOf(task)));
    await inSlices(
      finished.filter((name) => own.has(name)),
      AT_ONCE,
      (name) => queue.remove(name),
    );
    for (let start = 0; start < tasks.length; start += AT_ONCE) {
      const slice = tasks.slice(start, start + AT_ONCE);
      await queue.addBulk(
        slice.map((task) => ({
          name: task.file,
          data: { run: this.id, place, index: task.index, again },
          opts: { jobId: this.nameOf(task) },
        })),
      );
    }
  }

  /** A worker says that a job is done. */
  completed(name: string, result: unknown): void {
    const task = this.pending.get(name);
    const [record] = parseRecords(`${JSON.stringify(result)}\n`);
    if (task && record) this.arrivals.set(name, { task, record, since: performance.now() });
  }

  /** The queue has given a job up. */
  async failed(name: string): Promise<void> {
    const job = await this.work.queue.getJob(name);
    if (job) await this.giveUp(name, job.failedReason, job.attemptsMade + job.stalledCounter);
  }

  /** Looks for the pictures that are said to be drawn. */
  async look(): Promise<void> {
    await inSlices([...this.arrivals], READ_AT_ONCE, async ([name, { task, record, since }]) => {
      if ((await storedHash(this.work.store, task.file)) === record.sha256) this.seen(name, record);
      else if (performance.now() - since > 1000 * (this.work.patience ?? PATIENCE)) await this.miss(name, task);
    });
  }

  /**
   * Asks the queue about every job of which nothing was heard. What it knows nothing of, such as after a restart without
   * its memory, goes into it again, unless the picture is there.
   */
  async reconcile(): Promise<void> {
    const queued = new Set(await this.work.queue.getRanges(["wait", "prioritized", "delayed", "active"], 0, -1));
    const silent = [...this.pending].filter(([name]) => !queued.has(name) && !this.arrivals.has(name));
    const lost: Task[] = [];
    await inSlices(silent, AT_ONCE, async ([name, task]) => {
      const job: Job<TaskJob> | undefined = await this.work.queue.getJob(name);
      if (!job) lost.push(task);
      else if (job.finishedOn !== undefined && job.failedReason) await this.failed(name);
      else if (job.finishedOn !== undefined) this.completed(name, job.returnvalue);
    });
    if (lost.length > 0) await this.restore(lost);
  }

  /** Takes back what no worker has begun. */
  async takeBack(): Promise<void> {
    await inSlices([...this.pending.keys()], AT_ONCE, (name) => this.work.queue.remove(name).catch(() => 0));
  }

  /** Writes an event into the run's record. */
  async note(event: RunEvent["event"], tasks: readonly Task[] = [], message?: string): Promise<void> {
    const about = tasks.length > 0 ? tasks.map(({ index }) => ({ event, index, message })) : [{ event, message }];
    await note(this.work.store, this.ledger, about);
  }

  private nameOf({ index }: Task): string {
    return jobId(this.id, index);
  }

  private seen(name: string, record: PictureRecord): void {
    this.arrivals.delete(name);
    if (this.pending.delete(name)) this.work.onRecord(record);
  }

  /** A picture that a worker has drawn is not there. */
  private async miss(name: string, task: Task): Promise<void> {
    this.arrivals.delete(name);
    if (this.redrawn.has(name)) {
      await this.giveUp(name, `drawn twice, and not to be seen in ${this.place}: do the workers write elsewhere?`, 2);
      return;
    }
    this.redrawn.add(name);
    await this.note("enqueued again", [task], "drawn, and not there");
    await this.enqueue([task], true);
  }

  private async giveUp(name: string, message: string, attempts: number): Promise<void> {
    const task = this.pending.get(name);
    if (!task) return;
    this.pending.delete(name);
    const { index, file, prompt } = task;
    this.failures.push({ index, file, prompt, attempts, message });
    await this.note("failed", [task], message);
  }

  private async restore(tasks: readonly Task[]): Promise<void> {
    const found = await findPictures(this.work.store, tasks);
    for (const { task, record } of found) if (record) this.seen(this.nameOf(task), record);
    const missing = found.filter(({ record }) => !record).map(({ task }) => task);
    await this.note("enqueued again", missing, "the queue had lost it");
    await this.enqueue(missing, true);
  }
}

/** Runs `work` on all items, `size` of them at a time. */
async function inSlices<T>(items: readonly T[], size: number, work: (item: T) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < items.length; start += size) {
    await Promise.all(items.slice(start, start + size).map(work));
  }
}
