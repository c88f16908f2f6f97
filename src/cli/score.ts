/** `scalekv score`: two folders of pictures, pair by pair, by the metrics the field reports. */
import { Command, Option } from "commander";
import { OptionError } from "../errors.js";
import { PairChecker, promptsOf } from "../evaluation/followed-pairs.js";
import type { LpipsFiles } from "../metrics/lpips.js";
import { pairFolders, readPairs, type PairFiles, type PicturePair } from "../metrics/pairs.js";
import { METRICS, Scorer, type Metric, type PairScore, type ScoreOptions } from "../metrics/score.js";
import { DEFAULT_MODEL } from "../models/catalogue.js";
import { ALEXNET_FILE, findPublishedFile, INCEPTION_FILE, LPIPS_FILE } from "../models/published-files.js";
import { deviceOption } from "./draw-flags.js";
import { interruptible } from "./interrupt.js";
import { openPromptCheck } from "./model-checker.js";
import { parseInteger } from "./numbers.js";
import { checkPage } from "./page-file.js";
import { StatusLine } from "./progress.js";
import { writeScorePage } from "./score-page.js";
import { formatScore, scoreJson, type ScoreReport } from "./score-report.js";

interface ScoreFlags {
  readonly metrics: readonly Metric[];
  readonly out?: string;
  readonly device: "cpu" | "webgpu" | "cuda";
  readonly threads?: number;
  readonly alexnet?: string;
  readonly lpips?: string;
  readonly inception?: string;
  readonly prompts?: string;
  readonly model: string;
  readonly json?: true;
}

/** What checks the pair at a place in the list. */
type CheckPair = (pair: PicturePair, index: number) => void;

const HELP = `
Metrics:
  psnr   dB, the mean over pairs; equal pairs are counted apart
  ssim   Gaussian windows of 11 × 11 (σ 1.5), mirrored at the border, as torchmetrics
  lpips  AlexNet at full size, as torchmetrics                    scalekv download lpips
  fid    Fréchet distance of Inception's features, as clean-fid   scalekv download inception
  kid    kernel distance of the same features                     scalekv download inception

With --prompts, lines such as \`eval prompts\` takes, both folders are also checked for what their prompts ask, by the art that
--model was trained on. A picture's name is its prompt's id, as \`sample\` has it, or the prompt's number from 0; pictures with
other names belong to the prompts in their order, if there are as many.

Pictures (.png, .jpg, .webp) pair by their names without the ending, and pairs must have one size.`;

/** The command, for the program that assembles them. */
export function scoreCommand(): Command {
  return new Command("score")
    .description("Compare two folders of pictures, pair by pair.")
    .argument("<a>", "a folder, such as what the full cache drew")
    .argument("<b>", "a folder with pictures of the same names")
    .addOption(
      new Option("--metrics <name,...>", `of ${METRICS.join(", ")}`)
        .argParser(parseMetrics)
        .default(METRICS, METRICS.join(",")),
    )
    .option("--out <file>", "a page with the pairs side by side, worst first: .html")
    .addOption(deviceOption())
    .option("--threads <n>", "CPU threads", (text) => parseInteger("--threads", text, { min: 1, max: 1024 }))
    .option("--alexnet <file>", "torchvision's AlexNet, where it is not in PyTorch's cache")
    .option("--lpips <file>", "the LPIPS authors' weights for AlexNet, likewise")
    .option("--inception <file>", "pytorch-fid's Inception, likewise")
    .option("--prompts <file>", "JSON lines that say what the pictures should show: adds how many do")
    .option("--model <name|dir>", "with --prompts: the model whose checker knows the art", DEFAULT_MODEL)
    .option("--json", "print the scores as JSON")
    .addHelpText("after", HELP)
    .action(scoreFolders);
}

/** `psnr,fid`: at least one, each once. */
function parseMetrics(text: string): readonly Metric[] {
  const names = text.split(",");
  const metrics = METRICS.filter((metric) => names.includes(metric));
  const wrong = names.find((name, i) => !metrics.some((metric) => metric === name) || names.indexOf(name) !== i);
  if (wrong !== undefined) {
    const what = metrics.some((metric) => metric === wrong) ? "named twice" : `not one of ${METRICS.join(", ")}`;
    throw new OptionError(`--metrics ${text}: ${wrong === "" ? '""' : wrong} is ${what}`);
  }
  return metrics;
}

async function scoreFolders(a: string, b: string, flags: ScoreFlags): Promise<void> {
  const { out, json } = flags;
  if (out !== undefined) await checkPage(out);
  const files = await pairFolders(a, b);
  const checker = await pairChecker(flags, files);
  const measured = await measure(files, await scoreOptions(flags, files.length), checker?.check);
  const report: ScoreReport = { a, b, ...measured, following: checker?.result() };
  // Measuring may have taken hours, which a page that cannot be written shall not cost.
  process.stdout.write(json ? `${JSON.stringify(scoreJson(report))}\n` : formatScore(report, out));
  if (out !== undefined) await writeScorePage(out, report, files);
}

/** Finds the networks' files before any picture is read. */
async function scoreOptions(flags: ScoreFlags, pairs: number): Promise<ScoreOptions> {
  const { metrics, device, threads } = flags;
  const ofFolders = metrics.find((metric) => metric === "fid" || metric === "kid");
  if (ofFolders && pairs < 2) throw new OptionError(`--metrics ${ofFolders}: ${pairs} pair, at least 2 are needed`);
  const lpips = metrics.includes("lpips") ? await lpipsFiles(flags) : undefined;
  const inception = ofFolders && (flags.inception ?? (await findPublishedFile(INCEPTION_FILE, "inception")));
  return { metrics, device, threads, lpips, inception };
}

async function lpipsFiles({ alexnet, lpips }: ScoreFlags): Promise<LpipsFiles> {
  return {
    alexNet: alexnet ?? (await findPublishedFile(ALEXNET_FILE, "lpips")),
    linear: lpips ?? (await findPublishedFile(LPIPS_FILE, "lpips")),
  };
}

/** What checks pairs for what their prompts ask, if that is wanted. */
async function pairChecker({ model, prompts }: ScoreFlags, files: readonly PairFiles[]) {
  if (prompts === undefined) return undefined;
  const { checker, asked } = await openPromptCheck(model, prompts);
  const pairs = new PairChecker(checker, asked);
  const numbers = promptsOf(
    files.map(({ name }) => name),
    asked,
    `--prompts ${prompts}`,
  );
  const check: CheckPair = (pair, index) => pairs.add(pair, numbers[index]!);
  return { check, result: () => pairs.result() };
}

/** One pair after the other; the networks are freed whatever happens. */
async function measure(
  files: readonly PairFiles[],
  options: ScoreOptions,
  check?: CheckPair,
): Promise<Pick<ScoreReport, "scores" | "pairs" | "seconds">> {
  const status = new StatusLine(process.stderr);
  const begun = performance.now();
  const pairs: PairScore[] = [];
  return interruptible(async (signal) => {
    const scorer = await Scorer.load(options);
    try {
      for await (const pair of readPairs(files, signal)) {
        check?.(pair, pairs.length);
        pairs.push(await scorer.add(pair));
        status.update(...describe(pairs.length, files.length, (performance.now() - begun) / 1000));
      }
      const scores = await scorer.scores();
      return { scores, pairs, seconds: (performance.now() - begun) / 1000 };
    } finally {
      status.clear();
      await scorer.dispose();
    }
  });
}

/** After the last pair come the distances of the folders, which take seconds. */
function describe(done: number, all: number, seconds: number): readonly [fraction: number, text: string] {
  if (done === all) return [1, `${all} pairs measured; summing up`];
  return [done / all, `pair ${done} of ${all}, ${Math.round(((all - done) * seconds) / done)} s left`];
}
