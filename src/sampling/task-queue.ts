/** Tasks on their way through the hands of several stations: none is lost, and none is tried without end. */
import type { Task } from "./task.js";

/** A task that could not be drawn. */
export interface Failure {
  readonly index: number;
  readonly file: string;
  readonly prompt: string;
  /** How often it was tried. */
  readonly attempts: number;
  /** What went wrong the last time. */
  readonly message: string;
}

/** A task that waits, or is being drawn. */
interface Job {
  readonly task: Task;
  /** How often it has failed. */
  attempts: number;
}

/** Tries of one task. */
const MOST_ATTEMPTS = 3;
/** Failures in a row, of whatever tasks, after which something else is wrong: a full disk, a broken device. */
const MOST_IN_A_ROW = 32;

/** Hands tasks out. A task that fails comes back at the end, and is then drawn alone, so that it can spoil no others. */
export class TaskQueue {
  readonly failures: Failure[] = [];
  private readonly fresh: readonly Job[];
  private next = 0;
  private readonly again: Job[] = [];
  private readonly underWay = new Map<number, Job>();
  private inARow = 0;
  private wake: (() => void)[] = [];
  private stopped = false;

  constructor(
    tasks: readonly Task[],
    private stations: number,
  ) {
    this.fresh = tasks.map((task) => ({ task, attempts: 0 }));
  }

  /** Waits until there is something to take (true), or until nothing can come any more (false). */
  async pending(): Promise<boolean> {
    while (!this.stopped && this.waiting === 0 && this.underWay.size > 0) {
      await new Promise<void>((resolve) => this.wake.push(resolve));
    }
    return !this.stopped && this.waiting > 0;
  }

  /**
   * Tasks of `images` images at most, and at least one task if there is any. Towards the end everybody gets a share, so
   * that none draws while the others are idle.
   */
  take(images: number): Task[] {
    const share = Math.ceil((this.fresh.length - this.next) / this.stations);
    const jobs: Job[] = [];
    for (let room = images; jobs.length < share; this.next++) {
      const job = this.fresh[this.next]!;
      room -= job.task.seeds.length;
      if (jobs.length > 0 && room < 0) break;
      jobs.push(job);
    }
    const retried = jobs.length === 0 ? this.again.shift() : undefined;
    if (retried) jobs.push(retried);
    for (const job of jobs) this.underWay.set(job.task.index, job);
    return jobs.map(({ task }) => task);
  }

  /** A task is drawn. */
  done(index: number): void {
    this.underWay.delete(index);
    this.inARow = 0;
    this.wakeAll();
  }

  /** Of these tasks those that are not done could not be drawn this time. */
  failed(tasks: readonly Task[], error: unknown): void {
    const message = messageOf(error);
    this.inARow++;
    for (const { index } of tasks) {
      const job = this.underWay.get(index);
      if (!job) continue;
      this.underWay.delete(index);
      job.attempts++;
      if (job.attempts < MOST_ATTEMPTS) this.again.push(job);
      else this.giveUp(job, message);
    }
    if (this.inARow >= MOST_IN_A_ROW)
      this.abandon(`given up after ${this.inARow} failures in a row, the last: ${message}`);
    this.wakeAll();
  }

  /** Nobody need wait any longer: what is under way will not come back. */
  stop(): void {
    this.stopped = true;
    this.wakeAll();
  }

  /** A station will take no more tasks; what waits when the last one leaves cannot be drawn. */
  leave(error: unknown): void {
    this.stations--;
    if (this.stations === 0) this.abandon(`no process is left that draws: ${messageOf(error)}`);
  }

  /** All tasks that wait are failures. */
  private abandon(message: string): void {
    for (const job of this.fresh.slice(this.next)) this.giveUp(job, message);
    for (const job of this.again.splice(0)) this.giveUp(job, message);
    this.next = this.fresh.length;
    this.wakeAll();
  }

  private get waiting(): number {
    return this.fresh.length - this.next + this.again.length;
  }

  private giveUp({ task: { index, file, prompt }, attempts }: Job, message: string): void {
    this.failures.push({ index, file, prompt, attempts, message });
  }

  private wakeAll(): void {
    for (const wake of this.wake.splice(0)) wake();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
