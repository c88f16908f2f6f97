/** The `scalekv` command: its parts put together, and what its exit codes mean. */
import { Command, CommanderError } from "commander";
import { ScaleKVError } from "../errors.js";
import { packageVersion } from "../sampling/release.js";
import { Incomplete } from "./incomplete.js";
import { Interrupted } from "./interrupt.js";

/** Bad input: an option, a file, a model. Everything unforeseen is {@link EXIT_DEFECT}. */
const EXIT_BAD_INPUT = 2;
const EXIT_DEFECT = 1;

/** The commands by name, in the order of the help. Each is read when it is needed: all together take a third of a second. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  generate: async () => (await import("./generate.js")).generateCommand(),
  calibrate: async () => (await import("./calibrate.js")).calibrateCommand(),
  reconstruct: async () => (await import("./reconstruct.js")).reconstructCommand(),
  eval: async () => (await import("./eval.js")).evalCommand(),
  sample: async () => (await import("./sample.js")).sampleCommand(),
  verify: async () => (await import("./verify.js")).verifyCommand(),
  merge: async () => (await import("./merge.js")).mergeCommand(),
  worker: async () => (await import("./worker.js")).workerCommand(),
  score: async () => (await import("./score.js")).scoreCommand(),
  report: async () => (await import("./run-report.js")).reportCommand(),
  download: async () => (await import("./download.js")).downloadCommand(),
  inspect: async () => (await import("./inspect.js")).inspectCommand(),
  trace: async () => (await import("./trace.js")).traceCommand(),
  bench: async () => (await import("./bench.js")).benchCommand(),
};

/**
 * The program, with the one command that `asked` names, or with all of them if it names none: help lists them then, and
 * what is misspelt finds its nearest. Commander throws instead of ending the process, and says what is wrong in one line.
 */
export async function buildProgram(asked?: string): Promise<Command> {
  const program = new Command("scalekv")
    .description("Visual autoregressive text-to-image models with a compressed KV cache.")
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => {
        write(complaint(text));
      },
    });
  for (const load of commandsFor(asked)) program.addCommand(inherit(await load(), program));
  return program;
}

/** The command of that name; all of them for any other first word, and none to say the version. */
function commandsFor(asked: string | undefined): readonly (() => Promise<Command>)[] {
  if (asked === "--version" || asked === "-V") return [];
  const [, only] = Object.entries(COMMANDS).find(([name]) => name === asked) ?? [];
  return only ? [only] : Object.values(COMMANDS);
}

/** Gives a command, and those below it, the program's way with errors. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
  return command;
}

/** Runs one command line (without node and script) and returns the exit code. */
export async function run(args: readonly string[], program?: Command): Promise<number> {
  try {
    await (program ?? (await buildProgram(args[0]))).parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    return report(error);
  }
}

/** Commander has printed its own errors; `--help` and `--version` arrive here as errors with exit code 0. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_BAD_INPUT;
  if (error instanceof Interrupted || error instanceof Incomplete) return error.exitCode;
  if (error instanceof ScaleKVError) {
    process.stderr.write(complaint(error.message));
    return EXIT_BAD_INPUT;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT_DEFECT;
}

/** One line, whatever the message was. */
function complaint(message: string): string {
  const line = message
    .replace(/^error: /, "")
    .trim()
    .replaceAll(/\s*\n\s*/g, " ");
  return `scalekv: ${line}\n`;
}
