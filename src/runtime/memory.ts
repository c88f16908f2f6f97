/** What the operating system says this process uses. */
import { isNode } from "./platform.js";

/** Resident memory in bytes: now, and the highest since the process began. */
export interface ProcessMemory {
  readonly resident: number;
  readonly peak: number;
}

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

/**
 * Gives what JavaScript no longer refers to back at once (Node only; elsewhere nothing happens). ONNX Runtime returns a
 * copy even of an output that was written in place, and V8, which sees only small objects, would let them pile up.
 */
export async function collectGarbage(): Promise<void> {
  if (!isNode) return;
  const [v8, vm] = await Promise.all([
    import(/* webpackIgnore: true */ "node:v8"),
    import(/* webpackIgnore: true */ "node:vm"),
  ]);
  v8.setFlagsFromString("--expose-gc");
  (vm.runInNewContext("gc") as () => void)();
}
