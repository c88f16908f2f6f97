/** The command as a user of a clone runs it. */
import { spawn } from "node:child_process";

/** What a finished command left behind. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  /** As Ctrl-C does. */
  readonly interrupt: () => void;
  /** At once, without a chance to tidy up. */
  readonly kill: () => void;
  readonly finished: Promise<Finished>;
}

/** Runs `scalekv ARGS` from the repository's root to its end. */
export function scalekv(...args: string[]): Promise<Finished> {
  return startScalekv(...args).finished;
}

/** Starts `scalekv ARGS` from the repository's root; no terminal is attached. */
export function startScalekv(...args: string[]): Running {
  return startScalekvWith({}, ...args);
}

/** Starts it with further variables of the environment. */
export function startScalekvWith(variables: Readonly<Record<string, string>>, ...args: string[]): Running {
  const env = { ...process.env, ...variables };
  const child = spawn(process.execPath, ["scripts/scalekv.mjs", ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject).on("close", (code) => {
      resolve({ code, ...output });
    });
  });
  return { interrupt: () => void child.kill("SIGINT"), kill: () => void child.kill("SIGKILL"), finished };
}
