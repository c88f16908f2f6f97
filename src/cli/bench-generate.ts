/** `scalekv bench generate`: one generation, what its parts took, and the least that they could take on this machine. */
import { Command, Option } from "commander";
import { OptionError } from "../errors.js";
import { DEFAULT_MODEL } from "../models/catalogue.js";
import type { ObservedGeneration } from "../profile/generation.js";
import type { GenerationProfile, PartProfile } from "../profile/profile.js";
import {
  addCacheFlags,
  addImageFlags,
  deviceOption,
  drawOptions,
  pipelineOptions,
  type DrawFlags,
} from "./draw-flags.js";
import { checkWritable, writeReport } from "./image-file.js";
import { interruptible } from "./interrupt.js";
import { parseInteger } from "./numbers.js";
import { StatusLine, describeProgress, type StageProgress } from "./progress.js";
import { describeRun } from "./report.js";
import { percent, table } from "./table.js";

interface BenchFlags extends DrawFlags {
  readonly operators?: number;
  readonly out?: string;
  readonly json?: true;
}

/** Says something that the embedded model knows. */
const PROMPT = "a red apple on a blue background";

/** The command. */
export function benchGenerateCommand(): Command {
  const command = new Command("generate")
    .description("Draw, and print what every part took beside the least that it could take on this machine.")
    .argument("[prompt...]", "what to draw", [PROMPT])
    .addOption(
      // JSON has all of them.
      new Option("--operators <n>", "also print the n operators that took the most time")
        .argParser((text) => parseInteger("--operators", text, { min: 1, max: 1000 }))
        .conflicts("json"),
    )
    .option("--out <file.svg>", "also draw the profile as a picture")
    .option("--json", "print everything as JSON, in seconds, operations and bytes");
  // A device's operators return before their work is done, so that only those of the CPU can be timed.
  const drawing = addCacheFlags(addImageFlags(command, DEFAULT_MODEL, deviceOption(["cpu"])));
  return drawing.action((prompts: string[], flags: BenchFlags) => bench(prompts, flags));
}

async function bench(prompts: readonly string[], flags: BenchFlags): Promise<void> {
  const { out } = flags;
  if (out !== undefined) await checkPicture(out);
  const loading = await pipelineOptions(flags);
  const status = new StatusLine(process.stderr);
  const onProgress = (event: StageProgress): void => {
    status.update(...describeProgress(event));
  };
  const found = await interruptible(async (signal) => {
    try {
      const { observeGeneration } = await import("../profile/generation.js");
      const told = { signal, onProgress };
      return await observeGeneration({
        model: flags.model,
        prompts,
        loading: { ...loading, ...told },
        drawing: { ...drawOptions(flags), ...told },
      });
    } finally {
      status.clear();
    }
  });
  // What was measured shall not be lost to a picture that cannot be written.
  process.stdout.write(flags.json ? `${JSON.stringify(found)}\n` : formatObserved(found, flags.operators ?? 0));
  if (out === undefined) return;
  const { profileSvg } = await import("../profile/picture.js");
  await writeReport(out, profileSvg(found.profile, describeRun(found.report)));
}

async function checkPicture(out: string): Promise<void> {
  if (!out.endsWith(".svg")) throw new OptionError(`--out ${out}: a profile is drawn as .svg`);
  await checkWritable(out);
}

/** The tables of parts, of scales and of the `operators` slowest operators, ending in a line break. */
export function formatObserved({ machine, profile, report, seconds }: ObservedGeneration, operators: number): string {
  const { operations, bytes } = machine.ceilings;
  const products = Object.entries(operations).filter(([, rate]) => rate > 0);
  const rates = products.map(([type, rate]) => `${(rate / 1e9).toFixed(0)} GFLOP/s in ${type}`).join(", ");
  const blocks = [
    describeRun(report),
    `this machine at best: ${rates}, ${(bytes / 1e9).toFixed(1)} GB/s`,
    "",
    partTable(profile),
    unobserved(seconds, profile),
    denseLine(profile),
    "",
    stageTable(profile),
    ...(operators > 0 ? ["", operatorTable(profile, operators)] : []),
    "",
    "GFLOP    of matrix products; norms and other work element by element could be done in passing and count for nothing",
    "floor    the longer of arithmetic and memory traffic at this machine's best",
    "rest     outside of operators: loading, copies of what graphs give out, this program",
  ];
  return `${blocks.join("\n")}\n`;
}

function partTable({ parts, total }: GenerationProfile): string {
  const row = (part: PartProfile): string[] => [part.name, ...figures(part, total.seconds)];
  return table([["part", ...HEADER], ...parts.map(row), row(total)], ["left", ...RIGHT]);
}

function unobserved(seconds: number, { total }: GenerationProfile): string {
  const ratio = total.floorSeconds > 0 ? `, ${(seconds / total.floorSeconds).toFixed(2)} of the floor` : "";
  return `by itself, loaded and without this observation: ${seconds.toFixed(3)} seconds${ratio}`;
}

/** How near the layers' products come to this machine's best. */
function denseLine({ dense: { seconds, operations, floorSeconds } }: GenerationProfile): string {
  const rate = (operations / seconds / 1e9).toFixed(0);
  return `projections and MLP, products alone: ${rate} GFLOP/s, ${(floorSeconds / seconds).toFixed(2)} of the best`;
}

function stageTable({ stages, total }: GenerationProfile): string {
  const rows = stages.map(({ name, map, seconds, parts }) => {
    const sum = (value: (part: PartProfile) => number): number => parts.reduce((all, part) => all + value(part), 0);
    const counts = { operations: sum((part) => part.operations), bytes: sum((part) => part.bytes) };
    const whole = { name, seconds, ...counts, floorSeconds: sum((part) => part.floorSeconds) };
    return [name, map ? `${map.width}x${map.height}` : "", ...figures(whole, total.seconds)];
  });
  return table([["stage", "map", ...HEADER], ...rows], ["left", "right", ...RIGHT]);
}

const HEADER = ["seconds", "share", "GFLOP", "MiB", "floor", "ratio"];
const RIGHT = HEADER.map(() => "right" as const);

function figures({ seconds, operations, bytes, floorSeconds }: PartProfile, all: number): string[] {
  const ratio = floorSeconds > 0 ? (seconds / floorSeconds).toFixed(2) : "";
  const counts = [(operations / 1e9).toFixed(2), (bytes / 2 ** 20).toFixed(1)];
  return [seconds.toFixed(3), percent(seconds, all), ...counts, floorSeconds.toFixed(3), ratio];
}

function operatorTable({ operators, total }: GenerationProfile, count: number): string {
  const rows = operators
    .slice(0, count)
    .map(({ part, operator, seconds, count: runs }) => [
      operator,
      part,
      seconds.toFixed(3),
      percent(seconds, total.seconds),
      String(runs),
    ]);
  return table(
    [["operator", "part", "seconds", "share", "runs"], ...rows],
    ["left", "left", "right", "right", "right"],
  );
}
