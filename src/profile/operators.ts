/** ONNX Runtime's own profile of a model's graphs: which operator took how long, in which run of which graph. */
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { profiledGraph } from "../runtime/session.js";

/** One operator's execution. */
export interface OperatorTime {
  /** The part of the graph that its name begins with, as in `mlp/Gemm_7`; empty where it has none. */
  readonly part: string;
  /** ONNX's name of the operator. */
  readonly operator: string;
  readonly seconds: number;
}

/** All runs of one session, in order. */
export interface GraphRuns {
  /** The graph's name, as {@link profiledGraph} tells it. */
  readonly graph: string;
  readonly runs: readonly (readonly OperatorTime[])[];
}

/** What is read of an entry of the profile, Chrome's trace format. */
export interface ProfileEntry {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

/** An operator's own time ends its name so; other entries are about the time around it. */
const KERNEL = "_kernel_time";
/** The session's entry at the end of a run; a run's operators come before it. */
const RUN = "model_run";
/** Operators that run others, which the profile names too. */
const CONTAINERS: ReadonlySet<string> = new Set(["Loop", "If", "Scan"]);

/** Reads all profiles whose paths begin with `prefix`; a session that was never run has no runs. */
export async function readProfiles(prefix: string): Promise<GraphRuns[]> {
  const folder = dirname(prefix);
  const names = (await readdir(folder)).filter((name) => name.startsWith(basename(prefix)));
  const found: GraphRuns[] = [];
  for (const name of names) {
    const path = join(folder, name);
    const entries = JSON.parse(await readFile(path, "utf8")) as ProfileEntry[];
    found.push({ graph: profiledGraph(path, prefix), runs: runsOf(entries) });
  }
  return found;
}

/** The operators of every run. */
export function runsOf(entries: readonly ProfileEntry[]): OperatorTime[][] {
  const runs: OperatorTime[][] = [];
  let current: OperatorTime[] = [];
  for (const entry of entries) {
    if (entry.name === RUN) {
      runs.push(current);
      current = [];
    } else if (entry.cat === "Node" && entry.name.endsWith(KERNEL)) {
      const operator = entry.args?.op_name ?? "";
      const part = entry.name.includes("/") ? entry.name.slice(0, entry.name.indexOf("/")) : "";
      if (!CONTAINERS.has(operator)) current.push({ part, operator, seconds: entry.dur / 1e6 });
    }
  }
  return runs;
}
