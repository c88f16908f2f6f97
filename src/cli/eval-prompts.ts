/** `scalekv eval prompts`: how often a model's pictures show what their prompts ask for. */
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { writeText } from "../budget/budget-file.js";
import { OptionError } from "../errors.js";
import { Counter, drawMissing } from "../evaluation/drawing.js";
import type { Asked } from "../evaluation/prompt-following/asked.js";
import type { Pipeline } from "../generate/types.js";
import { readPicture } from "../metrics/pairs.js";
import { DEFAULT_MODEL } from "../models/catalogue.js";
import { addDrawFlags, drawOptions, pipelineOptions, type DrawFlags } from "./draw-flags.js";
import { EvaluationFolder } from "./evaluation-folder.js";
import { makeFolder } from "./image-file.js";
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
      new Option("--images <dir>", "check these pictures, in the order of their names, and draw none").conflicts(
        DRAWING,
      ),
    )
    .option("--limit <n>", "only the first prompts", (text) => parseInteger("--limit", text, { min: 1, max: 2 ** 20 }))
    .option("--batch <n>", "images drawn at once", (text) => parseInteger("--batch", text, { min: 1, max: 1024 }), 4)
    .option("--json", "print the report as JSON");
  return addDrawFlags(command, DEFAULT_MODEL).action((flags: EvalPromptsFlags) => evaluatePrompts(flags, load));
}

async function evaluatePrompts(flags: EvalPromptsFlags, load: () => Promise<Pipeline>): Promise<void> {
  const { model, out, images, limit } = flags;
  const check = await openPromptCheck(model, flags.prompts);
  const asked = check.asked.slice(0, limit);
  if (out === undefined && images === undefined) throw new OptionError("--out: a folder is needed to draw into");
  const files =
    images === undefined
      ? await drawAll(asked, { ...flags, out: out! }, load)
      : (await picturesIn(images, check.asked.length)).slice(0, limit);
  const pictures: CheckedPicture[] = [];
  for (const [i, one] of asked.entries()) {
    const file = files[i]!;
    pictures.push({ file, asked: one, ...check.checker.check(await readPicture(file), one) });
  }
  const report = { model, pictures };
  if (out !== undefined) await writeReport(out, report);
  process.stdout.write(flags.json ? `${JSON.stringify(followingJson(report), null, 2)}\n` : followingTable(report));
}

/** Draws what is not there yet, and says where the pictures are. */
async function drawAll(
  asked: readonly Asked[],
  flags: EvalPromptsFlags & { readonly out: string },
  load: () => Promise<Pipeline>,
): Promise<string[]> {
  const { model, batch, out } = flags;
  const options = await pipelineOptions(flags);
  const prompts = asked.map(({ prompt }) => prompt);
  const { seed = 0, ...drawing } = drawOptions(flags);
  if (typeof seed !== "number") throw new OptionError("--seed: one number, the first prompt's seed");
  const { weights, cache } = options;
  const store = await EvaluationFolder.open(out, { model, weights, prompts, seed, drawing, cache });
  const status = new StatusLine(process.stderr);
  const count = new Counter((done) => status.update(done / prompts.length, `image ${done} of ${prompts.length}`));
  await interruptible(async (signal) => {
    try {
      const pipeline = await load();
      const draw = await pipeline("text-to-image", model, { ...options, signal });
      try {
        await drawMissing(draw, { prompts, batch, seed, drawing, signal }, store, IMAGES, undefined, count);
      } finally {
        await draw.dispose();
      }
    } finally {
      status.clear();
    }
  });
  return prompts.map((_, index) => store.imageFile(IMAGES, index));
}

/** A folder's pictures, numbers in their names counting as numbers: 2.png comes before 10.png. */
async function picturesIn(folder: string, prompts: number): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw new OptionError(`--images ${folder}: cannot be read (${code})`, { cause: error });
  });
  const { compare } = new Intl.Collator("en", { numeric: true });
  const pictures = names.filter((name) => PICTURE.test(name)).sort(compare);
  if (pictures.length !== prompts) {
    throw new OptionError(`--images ${folder}: holds ${pictures.length} pictures, there are ${prompts} prompts`);
  }
  return pictures.map((name) => join(folder, name));
}

async function writeReport(out: string, report: FollowingReport): Promise<void> {
  await makeFolder("--out", out);
  await writeText(join(out, "table.md"), followingMarkdown(report));
  await writeText(join(out, "verdicts.json"), `${JSON.stringify(followingJson(report), null, 2)}\n`);
  const page = resolve(out, "index.html");
  await writeText(page, followingPage(report, page));
}
