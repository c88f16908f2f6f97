/** How well each cache's pictures follow their prompts, beside the full cache's. */
import type { ImageStore } from "./drawing.js";
import type { Summary } from "./outcomes.js";
import type { Asked } from "./prompt-following/asked.js";
import type { Checker } from "./prompt-following/checker.js";
import { pairedDifference, proportion, type Proportion } from "./proportion.js";

/** What is checked. */
export interface FollowingTask {
  readonly checker: Checker;
  readonly asked: readonly Asked[];
  /** Has a picture of every prompt for every contender, and for the full cache under `reference`. */
  readonly store: ImageStore;
  readonly reference: string;
  readonly signal?: AbortSignal | undefined;
  readonly onImage?: ((done: number, total: number) => void) | undefined;
}

/** Checks the pictures of every contender; nothing is drawn. */
export async function addFollowing(summaries: readonly Summary[], task: FollowingTask): Promise<Summary[]> {
  const total = task.asked.length * (summaries.length + 1);
  let done = 0;
  const tell = (): void => task.onImage?.(++done, total);
  const before = await followedIn(task.reference, task, tell);
  const full = shareOf(before);
  const measured: Summary[] = [];
  for (const summary of summaries) {
    const after = await followedIn(summary.contender, task, tell);
    measured.push({ ...summary, following: { ...shareOf(after), ...pairedDifference(before, after), full } });
  }
  return measured;
}

/** For every prompt whether its picture in a set shows what it asks. */
async function followedIn(set: string, task: FollowingTask, tell: () => void): Promise<boolean[]> {
  const { checker, asked, store, signal } = task;
  const shown: boolean[] = [];
  for (const [index, one] of asked.entries()) {
    signal?.throwIfAborted();
    shown.push(checker.check((await store.image(set, index))!, one).shown);
    tell();
  }
  return shown;
}

function shareOf(shown: readonly boolean[]): Proportion {
  return proportion(shown.filter(Boolean).length, shown.length);
}
