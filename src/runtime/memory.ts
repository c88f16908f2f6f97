/** What the operating system says this process uses. */
import { readFile } from "node:fs/promises";

/** Resident memory in bytes: now, and the highest since the process began. */
export interface ProcessMemory {
  readonly resident: number;
  readonly peak: number;
}

/** Reads the process's resident set; on Linux the peak is the kernel's own high-water mark. */
export async function processMemory(): Promise<ProcessMemory> {
  const resident = process.memoryUsage.rss();
  const status = process.platform === "linux" ? await readFile("/proc/self/status", "utf8") : "";
  const highWater = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
  const peak = highWater === undefined ? process.resourceUsage().maxRSS * 1024 : Number(highWater) * 1024;
  return { resident, peak };
}
