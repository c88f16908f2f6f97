/** `scalekv generate`: prompts in, image files and a report out. */
import { Command } from "commander";
import type { Draw, DrawnImage, DrawOptions, DrawResult, Pipeline, RunReport } from "../generate/types.js";
import { DEFAULT_MODEL, EMBEDDED_MODEL } from "../models/catalogue.js";
import { addDrawFlags, drawOptions, pipelineOptions, type DrawFlags } from "./draw-flags.js";
import {
  checkWritable,
  encodingOf,
  makeFolder,
  numberedFiles,
  previewFile,
  writeImage,
  type Encoding,
} from "./image-file.js";
import { interruptible } from "./interrupt.js";
import { parseInteger } from "./numbers.js";
import { StatusLine, describeProgress, type StageProgress } from "./progress.js";
import { formatReport, written, type WrittenImage } from "./report.js";

interface GenerateFlags extends DrawFlags {
  readonly out: string;
  readonly quality?: number;
  readonly previews?: string;
  readonly json?: true;
}

/** Where everything goes; checked before the model is touched. */
interface Outputs {
  readonly files: readonly string[];
  readonly encoding: Encoding;
  readonly previews: string | undefined;
}

/** Previews are small: losing nothing of them costs little. */
const PREVIEW_ENCODING: Encoding = { format: "png", quality: 100 };

/** Nobody should wonder at the picture of a first try. */
const EMBEDDED_NOTE = `
${EMBEDDED_MODEL} ships with the package; its weights are random, so its images are noise.
"scalekv download infinity-2b" fetches a trained model.
`;

/** The engine is large, so it is read only once all flags have proved good. */
const loadEngine = async (): Promise<Pipeline> => (await import("../generate/pipeline.js")).pipeline;

/** The command; `load` brings the engine (tests bring their own). */
export function generateCommand(load: () => Promise<Pipeline> = loadEngine): Command {
  const command = new Command("generate")
    .description("Draw an image for every prompt.")
    .argument("<prompt...>", "what to draw; several prompts are drawn as one batch")
    .requiredOption("--out <file>", "where to: .png, .jpg or .webp; {i} stands for the prompt's number")
    .option("--quality <n>", "for .jpg and .webp, 1 to 100 (default: 95)", (text) =>
      parseInteger("--quality", text, { min: 1, max: 100 }),
    )
    .option("--previews <dir>", "also write the image as it stands after every scale")
    .option("--json", "print the report as JSON");
  return addDrawFlags(command, DEFAULT_MODEL).action((prompts: string[], flags: GenerateFlags) =>
    generate(prompts, flags, load),
  );
}

async function generate(
  prompts: readonly string[],
  flags: GenerateFlags,
  load: () => Promise<Pipeline>,
): Promise<void> {
  const outputs = await prepareOutputs(prompts.length, flags);
  const options = await pipelineOptions(flags);
  const status = new StatusLine(process.stderr);
  const onProgress = (event: StageProgress): void => {
    status.update(...describeProgress(event));
  };
  const { images, report } = await interruptible(async (signal) => {
    try {
      const pipeline = await load();
      const draw = await pipeline("text-to-image", flags.model, { ...options, signal, onProgress });
      const onScale = previewWriter(outputs);
      const result = await drawAndDispose(draw, prompts, { ...drawOptions(flags), signal, onProgress, onScale });
      return { images: await writeImages(result.images, outputs), report: result.report };
    } finally {
      status.clear();
    }
  });
  process.stdout.write(flags.json ? jsonReport(images, report) : formatReport(images, report));
  if (flags.model === EMBEDDED_MODEL && !flags.json) process.stdout.write(EMBEDDED_NOTE);
}

async function prepareOutputs(count: number, { out, quality, previews }: GenerateFlags): Promise<Outputs> {
  const encoding = encodingOf(out, quality);
  const files = numberedFiles(out, count);
  for (const file of files) await checkWritable(file);
  if (previews !== undefined) await makeFolder("--previews", previews);
  return { files, encoding, previews };
}

async function drawAndDispose(draw: Draw, prompts: readonly string[], options: DrawOptions): Promise<DrawResult> {
  try {
    return await draw(prompts, options);
  } finally {
    await draw.dispose();
  }
}

/** Without a folder there is no writer, and the engine decodes nothing early. */
function previewWriter({ files, previews }: Outputs): DrawOptions["onScale"] {
  if (previews === undefined) return undefined;
  return async ({ scale, images }) => {
    await Promise.all(
      images.map((image, i) => writeImage(previewFile(previews, files[i]!, scale), image, PREVIEW_ENCODING)),
    );
  };
}

async function writeImages(images: readonly DrawnImage[], { files, encoding }: Outputs): Promise<WrittenImage[]> {
  return Promise.all(
    images.map(async (image, i) => {
      await writeImage(files[i]!, image, encoding);
      return written(files[i]!, image);
    }),
  );
}

function jsonReport(images: readonly WrittenImage[], report: RunReport): string {
  return `${JSON.stringify({ images, report }, null, 2)}\n`;
}
