/** ONNX Runtime's profile of a device's kernels: how long each took on the device itself, as its clock says. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** A kernel's executions: of one node of one graph. */
export interface KernelTime {
  readonly graph: string;
  readonly node: string;
  /** The runtime's name of the kernel. */
  readonly kernel: string;
  /** Seconds of every execution, in order. */
  readonly seconds: number[];
}

interface Entry {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
}

/** The kernels of all profiles in a folder whose names begin with `prefix`. */
export async function kernelTimes(folder: string, prefix: string): Promise<KernelTime[]> {
  const found = new Map<string, KernelTime>();
  for (const file of (await readdir(folder)).filter((name) => name.startsWith(prefix))) {
    const graph = file.slice(prefix.length, file.lastIndexOf("@"));
    const entries = JSON.parse(await readFile(join(folder, file), "utf8")) as Entry[];
    // The device's entries are named "node&operator&kernel".
    for (const { name, dur } of entries.filter(({ cat }) => cat === "Api")) {
      const [node = "", , kernel = ""] = name.split("&");
      const key = `${graph} ${node} ${kernel}`;
      const known = found.get(key) ?? { graph, node, kernel, seconds: [] };
      known.seconds.push(dur / 1e6);
      found.set(key, known);
    }
  }
  return [...found.values()];
}
