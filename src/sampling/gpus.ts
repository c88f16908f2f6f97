/** The GPUs of this machine, each of which gets a process of its own (Node only). */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** CUDA's own variable: the GPUs a process sees, by number or UUID, with commas between them. */
export const VISIBLE = "CUDA_VISIBLE_DEVICES";

/** The GPUs that CUDA would see here: those that the environment names, or all that the driver's own tool lists. */
export async function visibleGpus(environment: NodeJS.ProcessEnv = process.env): Promise<string[]> {
  const named = environment[VISIBLE];
  if (named !== undefined) return splitList(named, ",");
  try {
    const { stdout } = await promisify(execFile)("nvidia-smi", ["--query-gpu=index", "--format=csv,noheader"]);
    return splitList(stdout, "\n");
  } catch {
    // Without the tool nothing is known; loading the model will tell whether there is a GPU.
    return [];
  }
}

function splitList(text: string, separator: string): string[] {
  return text.split(separator).flatMap((name) => name.trim() || []);
}
