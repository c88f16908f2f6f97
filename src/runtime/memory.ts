/** What the operating system says this process uses. */
import { isNode } from "./platform.js";

/** Resident memory in bytes: now, and the highest since the process began. */
export interface ProcessMemory {
  readonly resident: number;
  readonly peak: number;
}

/**
 * Bytes of buffers that nobody refers to any more, at most: with more V8 begins to collect (its soft limit on memory
 * outside of its heap). What is large is given back at once (`discard` in `tensor.ts`) and is not among them.
 */
export const MOST_GARBAGE = 2 ** 26;

/** {@link processMemory} where there is one to read: a browser tells a page nothing of the kind, which is undefined. */
export async function processMemoryIfTold(): Promise<ProcessMemory | undefined> {
  return isNode ? processMemory() : undefined;
}

/** Reads the process's resident set (Node only); on Linux the peak is the kernel's own high-water mark. */
export async function processMemory(): Promise<ProcessMemory> {
  // Bundlers for browsers must leave this import alone.
  const { readFile } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const resident = process.memoryUsage.rss();
  const status = process.platform === "linux" ? await readFile("/proc/self/status", "utf8") : "";
  const highWater = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
  const peak = highWater === undefined ? process.resourceUsage().maxRSS * 1024 : Number(highWater) * 1024;
  return { resident, peak };
}
