/** `scalekv eval prompts`: how often a model's pictures show what their prompts ask for. */
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { OptionError } from "../errors.js";
import { Counter, drawMissing } from "../evaluation/drawing.js";
import { promptsOf } from "../evaluation/followed-pairs.js";
import type { Asked } from "../evaluation/prompt-following/asked.js";
import type { Checked, Checker } from "../evaluation/prompt-following/checker.js";
import { systemCode } from "../files/system-error.js";
import type { Pipeline } from "../generate/types.js";
import { readPicture } from "../metrics/pairs.js";
import { DEFAULT_MODEL } from "../models/catalogue.js";
import { addDrawFlags, checkWeightsCache, drawOptions, pipelineOptions, type DrawFlags } from "./draw-flags.js";
import { lookAtModel, settleCache } from "./evaluated-model.js";
import { EvaluationFolder } from "./evaluation-folder.js";
import { makeFolder, writeReport } from "./image-file.js";
import { interruptible } from "./interrupt.js";
import { openPromptCheck } from "./model-checker.js";
import { parseInteger } from "./numbers.js";
import { StatusLine } from "./progress.js";
import { followingPage } from "./prompt-following-page.js";
import {
  followingJson,
  followingMarkdown,
  followingTable,
  type CheckedPicture,
  type FollowingReport,
} from "./prompt-following-report.js";

interface EvalPromptsFlags extends DrawFlags {
  readonly out?: string;
  readonly prompts?: string;
  readonly images?: string;
  readonly limit?: number;
  readonly batch: number;
  readonly json?: true;
}

/** The folder of the pictures below `--out`. */
const IMAGES = "images";

/** Flags that would change nothing where the pictures are there already. */
const DRAWING = [
  ...["device", "vae", "textEncoder", "threads", "weights", "size", "pixels", "ratio", "seed", "batch"],
  ...["guidance", "guidanceLayer", "temperature", "topK", "topP", "negative", "positivePrompt"],
  ...["policy", "budget", "calibration", "scoring", "storage"],
];

const PICTURE = /\.(png|jpe?g|webp)$/i;

/** The command; `load` brings the engine. */
export function evalPromptsCommand(load: () => Promise<Pipeline>): Command {
  const command = new Command("prompts")
    .description("Draw prompts, check what the pictures show, and report the share that is right by category.")
    .option("--prompts <file>", "JSON lines that say what to check (default: the model's own held-out prompts)")
    .option("--out <dir>", "images, verdicts.json, table.md and index.html; what is drawn already is not drawn again")
    .addOption(
      new Option(
        "--images <dir>",
        "check these pictures, named by their prompts' ids or numbers or in their order, and draw none",
      ).conflicts(DRAWING),
    )
    .option("--limit <n>", "only the first prompts", (text) => parseInteger("--limit", text, { min: 1, max: 2 ** 20 }))
    .option("--batch <n>", "images drawn at once", (text) => parseInteger("--batch", text, { min: 1, max: 1024 }), 4)
    .option("--json", "print the report as JSON");
  return addDrawFlags(command, DEFAULT_MODEL).action((flags: EvalPromptsFlags) => evaluatePrompts(flags, load));
}

async function evaluatePrompts(flags: EvalPromptsFlags, load: () => Promise<Pipeline>): Promise<void> {
  const { model, out, images, limit } = flags;
  const check = await openPromptCheck(model, flags.prompts);
  if (out === undefined && images === undefined) throw new OptionError("--out: a folder is needed to draw into");
  const found =
    images === undefined
      ? await drawAll(check.asked.slice(0, limit), { ...flags, out: out! }, load)
      : (await picturesIn(images, check.asked)).slice(0, limit);
  const pictures: CheckedPicture[] = [];
  for (const one of found) pictures.push({ ...one, ...(await checkOne(check.checker, one)) });
  const report = { model, pictures };
  process.stdout.write(flags.json ? `${JSON.stringify(followingJson(report), null, 2)}\n` : followingTable(report));
  if (out !== undefined) await writeFollowing(out, report);
}

/** A picture, and what its prompt asks. */
type AskedPicture = Pick<CheckedPicture, "file" | "asked">;

async function checkOne(checker: Checker, { file, asked }: AskedPicture): Promise<Checked> {
  const picture = await readPicture(file);
  try {
    return checker.check(picture, asked);
  } catch (error) {
    if (error instanceof OptionError) throw new OptionError(`${file}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Draws what is not there yet, and says where the pictures are. */
async function drawAll(
  asked: readonly Asked[],
  flags: EvalPromptsFlags & { readonly out: string },
  load: () => Promise<Pipeline>,
): Promise<AskedPicture[]> {
  const { model, batch, out } = flags;
  const options = await pipelineOptions(flags);
  await checkWeightsCache(flags);
  const prompts = asked.map(({ prompt }) => prompt);
  const { seed = 0, ...drawing } = drawOptions(flags);
  if (typeof seed !== "number") throw new OptionError("--seed: one number, the first prompt's seed");
  const { weights, cache = {} } = options;
  const seen = await lookAtModel(model, options, (files) => settleCache(cache, files, drawing));
  const { fingerprint, calibration } = seen;
  const settings = { model, fingerprint, calibration, weights, prompts, seed, drawing, cache: seen.caches };
  const store = await EvaluationFolder.open(out, settings);
  const status = new StatusLine(process.stderr);
  const count = new Counter((done) => status.update(done / prompts.length, `image ${done} of ${prompts.length}`));
  await interruptible(async (signal) => {
    try {
      const pipeline = await load();
      const draw = await pipeline("text-to-image", model, { ...options, cache: seen.caches, signal });
      try {
        await drawMissing(draw, { prompts, batch, seed, drawing, signal }, store, IMAGES, undefined, count);
      } finally {
        await draw.dispose();
      }
    } finally {
      status.clear();
    }
  });
  return asked.map((one, index) => ({ file: store.imageFile(IMAGES, index), asked: one }));
}

/** A folder's pictures with their prompts, in the order of these; see {@link promptsOf}. */
async function picturesIn(folder: string, asked: readonly Asked[]): Promise<AskedPicture[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new OptionError(`--images ${folder}: cannot be read (${systemCode(error)})`, { cause: error });
  });
  const pictures = names.filter((name) => PICTURE.test(name));
  if (pictures.length === 0) throw new OptionError(`--images ${folder}: holds 0 pictures, at least 1 is needed`);
  const numbers = promptsOf(
    pictures.map((name) => name.replace(PICTURE, "")),
    asked,
    `--images ${folder}`,
  );
  const found = pictures.map((name, i) => ({ file: join(folder, name), number: numbers[i]! }));
  return found.toSorted((a, b) => a.number - b.number).map(({ file, number }) => ({ file, asked: asked[number]! }));
}

async function writeFollowing(out: string, report: FollowingReport): Promise<void> {
  await makeFolder("--out", out);
  await writeReport(join(out, "table.md"), followingMarkdown(report));
  await writeReport(join(out, "verdicts.json"), `${JSON.stringify(followingJson(report), null, 2)}\n`);
  const page = resolve(out, "index.html");
  await writeReport(page, followingPage(report, page));
}
