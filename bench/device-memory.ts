/** Memory that is taken on an NVIDIA GPU while something runs, as its driver tells it; nothing where there is none. */
import { spawn } from "node:child_process";

/** Milliseconds between two readings. */
const INTERVAL = 100;

/** What came of the work, and the most MiB that were taken at once beyond those from before it. */
export interface Watched<T> {
  readonly result: T;
  readonly peakMiB: number | undefined;
}

/** Does the work and reads meanwhile what is taken, by all programs together: no other should use the GPU. */
export async function watchDeviceMemory<T>(work: () => Promise<T>): Promise<Watched<T>> {
  const before = (await readings(1))[0];
  const watch = startReading(["-lms", String(INTERVAL)]);
  try {
    const result = await work();
    const most = Math.max(...watch.read());
    return { result, peakMiB: before === undefined || most < 0 ? undefined : most - before };
  } finally {
    watch.stop();
  }
}

async function readings(milliseconds: number): Promise<number[]> {
  const once = startReading([]);
  await once.ended;
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return once.read();
}

interface Reading {
  /** MiB of every reading so far. */
  read(): number[];
  stop(): void;
  readonly ended: Promise<void>;
}

function startReading(how: readonly string[]): Reading {
  const query = ["--query-gpu=memory.used", "--format=csv,noheader,nounits", ...how];
  const child = spawn("nvidia-smi", query, { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<void>((resolve) => {
    // Without a driver there is no such command.
    child.once("error", () => resolve());
    child.once("close", () => resolve());
  });
  const read = (): number[] => text.trim().split("\n").filter(Boolean).map(Number).filter(Number.isFinite);
  return { read, stop: () => child.kill(), ended };
}
