/** The command as a user of a clone runs it. */
import { spawn } from "node:child_process";

const SCRIPT = "scripts/scalekv.mjs";

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
  return start(process.execPath, [SCRIPT, ...args], { ...process.env, ...variables });
}

/** Runs it where the system lets no file grow beyond half a KiB, as if the disk were full. */
export function scalekvWithoutRoom(...args: string[]): Promise<Finished> {
  return start("sh", ["-c", 'ulimit -f 1 && exec "$@"', "sh", process.execPath, SCRIPT, ...args]).finished;
}

function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Running {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
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
