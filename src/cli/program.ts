/** The `scalekv` command: its parts put together, and what its exit codes mean. */
import { Command, CommanderError } from "commander";
import { ScaleKVError } from "../errors.js";
import { packageVersion } from "../sampling/release.js";
import { benchCommand } from "./bench.js";
import { calibrateCommand } from "./calibrate.js";
import { downloadCommand } from "./download.js";
import { evalCommand } from "./eval.js";
import { generateCommand } from "./generate.js";
import { Incomplete } from "./incomplete.js";
import { inspectCommand } from "./inspect.js";
import { Interrupted } from "./interrupt.js";
import { mergeCommand } from "./merge.js";
import { reconstructCommand } from "./reconstruct.js";
import { sampleCommand } from "./sample.js";
import { scoreCommand } from "./score.js";
import { traceCommand } from "./trace.js";
import { verifyCommand } from "./verify.js";
import { workerCommand } from "./worker.js";

/** Bad input: an option, a file, a model. Everything unforeseen is {@link EXIT_DEFECT}. */
const EXIT_BAD_INPUT = 2;
const EXIT_DEFECT = 1;

/** All commands; commander throws instead of ending the process, and says what is wrong in one line. */
export function buildProgram(): Command {
  const program = new Command("scalekv")
    .description("Visual autoregressive text-to-image models with a compressed KV cache.")
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => {
        write(complaint(text));
      },
    });
  const commands = [
    generateCommand(),
    calibrateCommand(),
    reconstructCommand(),
    evalCommand(),
    sampleCommand(),
    verifyCommand(),
    mergeCommand(),
    workerCommand(),
    scoreCommand(),
    downloadCommand(),
    inspectCommand(),
    traceCommand(),
    benchCommand(),
  ];
  for (const command of commands) program.addCommand(inherit(command, program));
  return program;
}

/** Gives a command, and those below it, the program's way with errors. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
  return command;
}

/** Runs one command line (without node and script) and returns the exit code. */
export async function run(args: readonly string[], program: Command = buildProgram()): Promise<number> {
  try {
    await program.parseAsync(args, { from: "user" });
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
