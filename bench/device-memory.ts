/** Memory that is taken on an NVIDIA GPU while something runs, as its driver tells it; nothing where there is none. */
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/** Milliseconds between two readings. */
const INTERVAL = 100;

/** What came of the work, and the most MiB that were taken at once beyond those from before it. */
export interface Watched<T> {
  readonly result: T;
  readonly peakMiB: number | undefined;
}

/** Does the work and reads meanwhile what is taken, by all programs together: no other should use the GPU. */
export async function watchDeviceMemory<T>(work: () => Promise<T>): Promise<Watched<T>> {
  const before = await takenMiB();
  if (before === undefined) return { result: await work(), peakMiB: undefined };
  let most = before;
  const ended = new AbortController();
  const watching = (async () => {
    while (!ended.signal.aborted) {
      most = Math.max(most, (await takenMiB()) ?? 0);
      await sleep(INTERVAL);
    }
  })();
  try {
    const result = await work();
    return { result, peakMiB: most - before };
  } finally {
    ended.abort();
    await watching;
  }
}

/** MiB that are taken now, of the first GPU; undefined without the driver's command. */
async function takenMiB(): Promise<number | undefined> {
  try {
    const query = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"];
    const { stdout } = await promisify(execFile)("nvidia-smi", query);
    return Number.parseFloat(stdout);
  } catch {
    return undefined;
  }
}
