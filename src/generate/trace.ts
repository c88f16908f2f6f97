/**
 * Parity cases: inputs with known answers, run through the same code that draws for users. A case is a folder with
 * `case.json` and `case.safetensors`; what came out is written under the names of its `expected.safetensors`.
 */
import { join } from "node:path";
import { closeCheckpoint } from "../checkpoint/checkpoint.js";
import { openCheckpoint } from "../checkpoint/open.js";
import { writeSafetensors } from "../checkpoint/write-safetensors.js";
import { readCase, type Results } from "./trace/case-file.js";
import { traceDrawing } from "./trace/drawing.js";
import { traceSelection } from "./trace/selection.js";
import { traceTexts } from "./trace/texts.js";
import type { PipelineOptions, TraceReport } from "./types.js";

/** Runs one case; see {@link TraceReport}. An unreadable case is an `OptionError` or `CheckpointError`. */
export async function traceCase(
  model: string,
  caseFolder: string,
  out: string,
  options: PipelineOptions = {},
): Promise<TraceReport> {
  const begun = performance.now();
  const parsed = await readCase(join(caseFolder, "case.json"));
  const inputs = await openCheckpoint(join(caseFolder, "case.safetensors"));
  const results: Results = new Map();
  try {
    if (parsed.kind === "t5") await traceTexts(model, inputs, options, results);
    else if (parsed.kind === "selection") await traceSelection(parsed, inputs, options, results);
    else await traceDrawing(model, parsed, inputs, options, results);
  } finally {
    await closeCheckpoint(inputs);
  }
  await writeSafetensors(out, results);
  return { kind: parsed.kind, tensors: results.size, seconds: (performance.now() - begun) / 1000 };
}
