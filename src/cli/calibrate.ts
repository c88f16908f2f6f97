/** `scalekv calibrate`: measures a model's attention and writes the budget that follows. */
import { extname } from "node:path";
import { Command } from "commander";
import { parseAmount } from "../budget/amount.js";
import type { Budget } from "../budget/budget.js";
import { writeBudget } from "../budget/budget-file.js";
import { historyTokens } from "../budget/maps.js";
import { OptionError } from "../errors.js";
import { calibrate, type Calibration, type OpenProbe } from "../generate/calibrate.js";
import { CalibrationFile } from "../generate/calibration-file.js";
import { CALIBRATION_PROMPTS } from "../generate/calibration-prompts.js";
import type { DrawProgress, LoadProgress } from "../generate/types.js";
import { DEFAULT_MODEL } from "../models/catalogue.js";
import { readPrompts } from "../sampling/prompt-sets/read.js";
import { addImageFlags, deviceOption, drawOptions, type DrawFlags } from "./draw-flags.js";
import { checkWritable, writeImage } from "./image-file.js";
import { interruptible } from "./interrupt.js";
import { parseInteger } from "./numbers.js";
import { describeProgress, StatusLine } from "./progress.js";
import { scoreImage, scoreTable } from "./score-picture.js";

interface CalibrateFlags extends DrawFlags {
  readonly out: string;
  readonly budget: string;
  readonly prompts?: string;
  readonly drafters?: number;
  readonly picture?: string;
  readonly json?: true;
}

/** Layers times scales of the largest budget file. */
const MOST_DRAFTERS = 2 ** 16;

const loadProbe = async (): Promise<OpenProbe> => (await import("../generate/pipeline.js")).openProbe;

/** The command; `load` brings the engine (tests bring their own). */
export function calibrateCommand(load: () => Promise<OpenProbe> = loadProbe): Command {
  const command = new Command("calibrate")
    .description("Draw prompts with the full cache, measure attention, and write a budget for generate --budget.")
    .requiredOption("--out <file>", "the budget, a .json file")
    .requiredOption(
      "--budget <amount>",
      "how much of the cache stays: 10%, 650 (tokens a layer), or 200MiB (one image)",
    )
    .option(
      "--prompts <file>",
      `text, one prompt a line, or another prompt set (default: ${CALIBRATION_PROMPTS.length} of our own)`,
    )
    .option("--drafters <n>", "pairs of layer and scale that draft (default: the published share)", (text) =>
      parseInteger("--drafters", text, { min: 0, max: MOST_DRAFTERS }),
    )
    .option("--picture <file>", "also draw the scores, layer by scale, as a .png file")
    .option("--json", "print a summary as JSON");
  return addImageFlags(command, DEFAULT_MODEL, deviceOption(["cpu", "cuda"])).action((flags: CalibrateFlags) =>
    run(flags, load),
  );
}

async function run(flags: CalibrateFlags, load: () => Promise<OpenProbe>): Promise<void> {
  const { out, picture, prompts: file, json } = flags;
  await checkFile("--out", out, ".json");
  if (picture !== undefined) await checkFile("--picture", picture, ".png");
  parseAmount(flags.budget);
  const prompts = file === undefined ? CALIBRATION_PROMPTS : await readPrompts(file);
  const record = new CalibrationFile(`${out}.part`);
  const calibration = await measure(flags, prompts, record, load);
  const { budget } = calibration;
  await writeBudget(out, budget);
  await record.remove();
  if (picture !== undefined) {
    await writeImage(picture, scoreImage(budget.statistics?.z ?? []), { format: "png", quality: 100 });
  }
  const summary = { file: out, prompts: prompts.length, recalled: calibration.recalled, ...summarize(budget) };
  process.stdout.write(json ? `${JSON.stringify(summary, null, 2)}\n` : format(summary, budget));
}

async function checkFile(flag: string, file: string, ending: string): Promise<void> {
  if (extname(file).toLowerCase() !== ending) throw new OptionError(`${flag} ${file}: the ending is not ${ending}`);
  await checkWritable(file);
}

/** Loads the model, calibrates, frees it; what an interrupted run has measured stays in `record`. */
async function measure(
  flags: CalibrateFlags,
  prompts: readonly string[],
  record: CalibrationFile,
  load: () => Promise<OpenProbe>,
): Promise<Calibration> {
  const { model, device, vae, textEncoder, threads, weights, weightsCache, budget, drafters } = flags;
  const loading = { device, vae, textEncoder, threads, weights, weightsCache };
  const drawing = drawOptions(flags);
  const status = new StatusLine(process.stderr);
  const onLoad = (event: LoadProgress): void => status.update(...describeProgress(event));
  const onProgress = (event: DrawProgress, prompt: number, count: number): void =>
    status.update(...describeCalibration(event, prompt, count));
  return interruptible(async (signal) => {
    try {
      const openProbe = await load();
      const probe = await openProbe(model, { ...loading, signal, onProgress: onLoad });
      try {
        return await calibrate(probe, prompts, { budget, drafters, drawing, record, signal, onProgress });
      } finally {
        await probe.dispose();
      }
    } finally {
      status.clear();
    }
  });
}

/** The bar is that of all prompts; reading one takes next to no time. */
function describeCalibration(event: DrawProgress, prompt: number, prompts: number): [fraction: number, text: string] {
  const [fraction, text] = describeProgress(event);
  const done = event.stage === "text" ? 0 : fraction;
  return [(prompt - 1 + done) / prompts, `prompt ${prompt} of ${prompts}: ${text}`];
}

/** What is printed as JSON. */
interface Summary {
  readonly file: string;
  readonly prompts: number;
  /** How many of the prompts an interrupted run had measured. */
  readonly recalled: number;
  /** Tokens a layer on average, and those of the full cache. */
  readonly base: number;
  readonly history: number;
  /** Counted from 0, as in the budget file. */
  readonly drafters: readonly { readonly layer: number; readonly scale: number }[];
}

function summarize({ base, roles, schedule }: Budget): Pick<Summary, "base" | "history" | "drafters"> {
  const drafters = roles.flatMap((row, layer) =>
    row.flatMap((role, scale) => (role === "drafter" ? [{ layer, scale }] : [])),
  );
  return { base, history: historyTokens(schedule.maps), drafters };
}

function format({ file, prompts, recalled, base, history, drafters }: Summary, { statistics, roles }: Budget): string {
  const before = recalled > 0 ? ` (${recalled} measured before)` : "";
  const head = `${file}: ${base} of ${history} tokens a layer; drafters: ${drafters.length}; prompts: ${prompts}${before}`;
  return `${head}\n\n${scoreTable(statistics?.z ?? [], roles)}`;
}
