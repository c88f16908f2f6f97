/** `scalekv generate`: prompts in, image files and a report out. */
import { Command, Option } from "commander";
import { OptionError } from "../errors.js";
import type { DrawnImage, ImageSize, Pipeline } from "../generate/types.js";
import { DEFAULT_MODEL } from "../models/catalogue.js";
import { readPrompts } from "../sampling/prompt-sets/read.js";
import { comparisonJson, formatComparison } from "./compare-report.js";
import { compare, prepareComparison, type ComparisonOutputs, type DrawOnce } from "./compare.js";
import { addDrawFlags, drawOptions, pipelineOptions, type DrawFlags } from "./draw-flags.js";
import { fillGrid, planGrid, type GridPlan } from "./grid.js";
import { checkSize, writeImage } from "./image-file.js";
import { interruptible } from "./interrupt.js";
import { parseInteger } from "./numbers.js";
import { prepareOutputs, previewWriter, writeImages, type OutputFlags, type Outputs } from "./outputs.js";
import { StatusLine, describeProgress, type StageProgress } from "./progress.js";
import { formatReport } from "./report.js";

interface GenerateFlags extends DrawFlags, OutputFlags {
  readonly prompts?: string;
  readonly grid?: true;
  readonly compare?: true;
  readonly json?: true;
}

/** Nobody should wonder at the picture of a first try. */
const NOTES: Readonly<Record<string, string>> = {
  stickers: `
stickers ships with the package; it is small and knows 40 objects (models/stickers/README.md).
"scalekv download infinity-2b" fetches a published model.
`,
  tiny: `
tiny ships with the package; its weights are random, so its images are noise.
`,
};

/** The engine is large, so it is read only once all flags have proved good. */
const loadEngine = async (): Promise<Pipeline> => (await import("../generate/pipeline.js")).pipeline;

/** The command; `load` brings the engine (tests bring their own). */
export function generateCommand(load: () => Promise<Pipeline> = loadEngine): Command {
  const command = new Command("generate")
    .description("Draw an image for every prompt.")
    .argument("[prompt...]", "what to draw; several prompts are drawn as one batch")
    .option("--prompts <file>", "more of them: text, one prompt a line, or another prompt set")
    .requiredOption("--out <file>", "where to: .png, .jpg or .webp; {i} stands for the prompt's number")
    .option("--quality <n>", "for .jpg and .webp, 1 to 100 (default: 95)", (text) =>
      parseInteger("--quality", text, { min: 1, max: 100 }),
    )
    .addOption(
      new Option("--grid", "one file of all images, with their prompts below them").conflicts(["previews", "compare"]),
    )
    .option("--previews <dir>", "also write the image as it stands after every scale")
    .option("--compare", "draw with the full cache as well, and write and measure the difference")
    .option("--json", "print the report as JSON");
  return addDrawFlags(command, DEFAULT_MODEL).action((prompts: string[], flags: GenerateFlags) =>
    generate(prompts, flags, load),
  );
}

/** A report in both of its forms. */
interface Printable {
  readonly text: string;
  readonly json: object;
}

async function generate(words: readonly string[], flags: GenerateFlags, load: () => Promise<Pipeline>): Promise<void> {
  const prompts = [...words, ...(flags.prompts === undefined ? [] : await readPrompts(flags.prompts))];
  if (prompts.length === 0) throw new OptionError("no prompt: write one, or name a file of them with --prompts");
  const outputs = await prepareOutputs(flags.grid ? 1 : prompts.length, flags);
  const options = await pipelineOptions(flags);
  const grid = flags.grid && (await prepareGrid(prompts, flags, outputs));
  const comparison = flags.compare && (await prepareComparison(outputs, options.cache));
  const status = new StatusLine(process.stderr);
  const onProgress = (event: StageProgress): void => {
    status.update(...describeProgress(event));
  };
  const { text, json } = await interruptible(async (signal) => {
    try {
      const pipeline = await load();
      const draw = await pipeline("text-to-image", flags.model, { ...options, signal, onProgress });
      const common = { ...drawOptions(flags), signal, onProgress };
      const drawOnce: DrawOnce = (target, cache) => draw(prompts, { ...common, cache, onScale: previewWriter(target) });
      try {
        if (comparison) return await drawBoth(drawOnce, comparison);
        return await (grid ? drawGrid(drawOnce, outputs, grid) : drawAndWrite(drawOnce, outputs));
      } finally {
        await draw.dispose();
      }
    } finally {
      status.clear();
    }
  });
  process.stdout.write(flags.json ? `${JSON.stringify(json, null, 2)}\n` : text);
  if (!flags.json) process.stdout.write(NOTES[flags.model] ?? "");
}

async function drawAndWrite(drawOnce: DrawOnce, outputs: Outputs): Promise<Printable> {
  const { images: drawn, report } = await drawOnce(outputs);
  const images = await writeImages(drawn, outputs);
  return { text: formatReport(images, report), json: { images, report } };
}

/** Words and the sheet's size are known before any model is loaded, so that nothing drawn is lost to them. */
async function prepareGrid(prompts: readonly string[], flags: DrawFlags, outputs: Outputs): Promise<GridPlan> {
  const plan = await planGrid(prompts, await plannedSize(flags));
  checkSize(outputs.files[0]!, plan, outputs.encoding);
  return plan;
}

/** The size of the images to come, by the model's files; nothing of them is loaded. */
async function plannedSize(flags: DrawFlags): Promise<ImageSize> {
  const { resolveSettings } = await import("../generate/settings.js");
  const { resolveModel } = await import("../models/folder.js");
  const { pixelsPerToken } = await import("../models/pairing.js");
  const { imageSize } = await import("../models/infinity/schedule.js");
  const files = await resolveModel(flags.model, flags);
  try {
    const { config } = files.infinity;
    const tokenPixels = pixelsPerToken(config, files.vae.config);
    const task = { images: 1, depth: config.depth, tokenPixels };
    return imageSize(resolveSettings(drawOptions(flags), files.defaults, task).schedule, tokenPixels);
  } finally {
    await files.close();
  }
}

async function drawGrid(drawOnce: DrawOnce, outputs: Outputs, plan: GridPlan): Promise<Printable> {
  const { images, report } = await drawOnce(outputs);
  const grid = fillGrid(plan, images);
  const { width, height } = grid;
  const file = outputs.files[0]!;
  await writeImage(file, grid, outputs.encoding);
  return {
    text: `${formatReport([], report)}${file}  ${width}x${height}, ${images.length} images\n`,
    json: { grid: { file, width, height }, images: images.map(imageJson), report },
  };
}

/** An image without its levels. */
function imageJson({ prompt, seed, width, height }: DrawnImage): object {
  return { prompt, seed, width, height };
}

async function drawBoth(drawOnce: DrawOnce, outputs: ComparisonOutputs): Promise<Printable> {
  const comparison = await compare(drawOnce, outputs);
  return { text: formatComparison(comparison), json: comparisonJson(comparison) };
}
