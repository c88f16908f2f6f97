/** A folder for what a benchmark writes, which may be gigabytes. */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Who still writes there, a child that is about to end, delays the removal. */
const REMOVAL = { recursive: true, force: true, maxRetries: 3 } as const;

/** Lends a new folder to `work` and removes it afterwards, or when the benchmark is told to stop. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "scalekv-bench-"));
  const listen = (on: boolean): void => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process[on ? "on" : "off"](signal, stop);
  };
  const stop = (signal: NodeJS.Signals): void => {
    listen(false);
    rmSync(folder, REMOVAL);
    // Nobody listening, it does what it does to any program.
    process.kill(process.pid, signal);
  };
  listen(true);
  try {
    return await work(folder);
  } finally {
    listen(false);
    await rm(folder, REMOVAL);
  }
}
