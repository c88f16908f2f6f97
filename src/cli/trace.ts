/** `scalekv trace`: runs one parity case and writes the tensors to compare. */
import { Command } from "commander";
import type { TraceCase } from "../generate/types.js";
import { deviceOption } from "./draw-flags.js";
import { checkWritable } from "./image-file.js";
import { interruptible } from "./interrupt.js";
import { StatusLine, describeProgress, type StageProgress } from "./progress.js";

interface TraceFlags {
  readonly model: string;
  readonly case: string;
  readonly out: string;
  readonly device: "cpu" | "webgpu" | "cuda";
  readonly json?: true;
}

const loadEngine = async (): Promise<TraceCase> => (await import("../generate/trace.js")).traceCase;

/** The command; `load` brings the engine (tests bring their own). */
export function traceCommand(load: () => Promise<TraceCase> = loadEngine): Command {
  return new Command("trace")
    .description("Run one case with known answers through the code that generates, and write what came out.")
    .requiredOption("--model <name|dir>", "the model the case was made with")
    .requiredOption("--case <dir>", "a folder with case.json and case.safetensors")
    .requiredOption("--out <file>", "a .safetensors file; its tensors are named as in expected.safetensors")
    .addOption(deviceOption())
    .option("--json", "print what was written as JSON")
    .action((flags: TraceFlags) => trace(flags, load));
}

async function trace(flags: TraceFlags, load: () => Promise<TraceCase>): Promise<void> {
  await checkWritable(flags.out);
  const status = new StatusLine(process.stderr);
  const report = await interruptible(async (signal) => {
    try {
      const traceCase = await load();
      const onProgress = (event: StageProgress): void => {
        status.update(...describeProgress(event));
      };
      return await traceCase(flags.model, flags.case, flags.out, { device: flags.device, signal, onProgress });
    } finally {
      status.clear();
    }
  });
  const { kind, tensors, seconds } = report;
  const text = `${flags.out}: ${tensors} tensors of a ${kind} case in ${seconds.toFixed(2)} s`;
  process.stdout.write(`${flags.json ? JSON.stringify({ file: flags.out, ...report }) : text}\n`);
}
