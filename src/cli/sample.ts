/** `scalekv sample`: a whole set of prompts into a folder, which can be stopped, resumed, shared and checked. */
import { Command, Option } from "commander";
import type { LoadProgress } from "../generate/types.js";
import { DEFAULT_MODEL } from "../models/catalogue.js";
import { isBucket, openStore, placeWithin } from "../sampling/open-store.js";
import { PROMPT_FORMATS, readPromptSet } from "../sampling/prompt-sets/read.js";
import { parseQueueAddress } from "../sampling/queue/address.js";
import { openRun, type Run, type RunPlan } from "../sampling/run.js";
import { sample, type SampleProgress, type SampleReport, type SampleTask } from "../sampling/sample.js";
import type { Store } from "../sampling/store.js";
import type { PromptSet } from "../sampling/task.js";
import { parseShard, shiftSeeds } from "../sampling/task-list.js";
import { addDrawFlags, checkWeightsCache, drawOptions, pipelineOptions } from "./draw-flags.js";
import { makeFolder } from "./image-file.js";
import { Incomplete } from "./incomplete.js";
import { Interrupted, interruptible } from "./interrupt.js";
import { parseInteger } from "./numbers.js";
import { describeProgress, describeSampling, StatusLine } from "./progress.js";
import { modelPlace, pairedRuns, parseMemory, type FolderRun, type SampleFlags } from "./sample-flags.js";
import { formatSample } from "./sample-report.js";

const HELP = `
OUT holds manifest.json (what is drawn with what), tasks.jsonl (the prompts, seeds and files), the pictures, and in
records/ a line for each. The same command goes on where a run stopped; one that would draw other pictures is refused.
--seed is added to the seed of every picture. "scalekv verify OUT" checks every file. Several machines take a shard
each, and "scalekv merge" joins their folders; or they run "scalekv worker" on one queue, which "scalekv sample --queue"
fills (examples/many-machines).`;

/** The command, for the program that assembles them. */
export function sampleCommand(): Command {
  const command = new Command("sample")
    .description("Draw a set of prompts into a folder; resumes what was begun.")
    .requiredOption("--prompts <file|dir>", "COCO captions, GenEval, DPG-Bench, PartiPrompts, JSON lines or plain text")
    .requiredOption("--out <dir>", "pictures, manifest.json, tasks.jsonl and records/; a folder or s3://bucket/prefix")
    .addOption(new Option("--format <name>", "of the prompts (default: recognised by content)").choices(PROMPT_FORMATS))
    .option("--limit <n>", "only the first prompts", (text) => parseInteger("--limit", text, { min: 1, max: 2 ** 20 }))
    .option("--pair", "draw with the full cache into OUT/full, and compressed beside it, with the same seeds")
    .option("--shard <i/n>", "only every n-th picture, from number i on; i counts from 0", parseShard)
    .option("--workers <n>", "processes that draw (default: one per device)", (text) =>
      parseInteger("--workers", text, { min: 1, max: 256 }),
    )
    .option("--memory <size>", "for all of them, such as 4GiB (default: most of what is free)", parseMemory)
    .option("--batch <n>", "images drawn at once (default: as many as the memory allows)", (text) =>
      parseInteger("--batch", text, { min: 1, max: 1024 }),
    )
    .addOption(
      new Option("--queue <url>", "draw nothing here; workers on this Redis or Valkey do (redis://host:6379)")
        .argParser(parseQueueAddress)
        .conflicts(["workers", "memory", "batch", "threads", "weightsCache"]),
    )
    .option("--json", "print the report as JSON")
    .addHelpText("after", HELP);
  return addDrawFlags(command, DEFAULT_MODEL).action(sampleFolders);
}

async function sampleFolders(flags: SampleFlags): Promise<void> {
  const { out, json, pair } = flags;
  const options = await pipelineOptions(flags);
  // With a queue they are kept where its workers run.
  if (flags.queue === undefined) await checkWeightsCache(flags);
  const prompts = await promptsOf(flags);
  // All are checked before any is begun, and all begun before any is drawn, so that a refusal comes at once.
  const plans: Planned[] = [];
  for (const run of pair ? pairedRuns(flags, options) : [{ folder: "", options }]) {
    plans.push(await planRun(run, flags, prompts));
  }
  if (!isBucket(out)) await makeFolder("--out", out);
  const jobs: Job[] = [];
  for (const { folder, plan } of plans) {
    const store = await openStore(placeWithin(out, folder));
    jobs.push({ store, run: await openRun(store, plan) });
  }
  const reports = await drawAll(jobs, flags);
  const [first, second] = reports;
  const printed = second ? { full: first, compressed: second } : first;
  process.stdout.write(json ? `${JSON.stringify(printed, null, 2)}\n` : reports.map(formatSample).join(""));
  if (reports.some(({ failed }) => failed.length > 0)) throw new Incomplete();
}

async function promptsOf({ prompts: path, format, limit, seed }: SampleFlags): Promise<PromptSet> {
  const set = await readPromptSet(path, { format, limit });
  return { ...set, tasks: shiftSeeds(set.tasks, seed ?? 0) };
}

/** A run that nothing speaks against so far. */
interface Planned {
  readonly folder: string;
  readonly plan: RunPlan;
}

async function planRun({ folder, options }: FolderRun, flags: SampleFlags, prompts: PromptSet): Promise<Planned> {
  // What knows models is read only once all flags have proved good.
  const { resolveWish } = await import("../sampling/resolve.js");
  const model = modelPlace(flags);
  const resolved = await resolveWish({ model, options, drawing: drawOptions(flags) });
  return { folder, plan: { ...resolved, model, prompts } };
}

/** A run whose folder is open. */
interface Job {
  readonly store: Store;
  readonly run: Run;
}

/** One run after the other; a stop leaves what is drawn, and says so. */
async function drawAll(jobs: readonly Job[], flags: SampleFlags): Promise<SampleReport[]> {
  const status = new StatusLine(process.stderr);
  const reports: SampleReport[] = [];
  try {
    await interruptible(async (signal) => {
      for (const job of jobs) reports.push(await draw(job, flags, status, signal));
    });
  } catch (error) {
    status.clear();
    if (error instanceof Interrupted) process.stderr.write("scalekv: stopped; the same command goes on from here\n");
    throw error;
  } finally {
    status.clear();
  }
  return reports;
}

async function draw(job: Job, flags: SampleFlags, status: StatusLine, signal: AbortSignal): Promise<SampleReport> {
  const onLoad = (event: LoadProgress): void => status.update(...describeProgress(event));
  const drawAll = await (flags.queue === undefined ? drawHere(job, flags, onLoad) : drawElsewhere(job, flags.queue));
  const { shard } = flags;
  const onProgress = (event: SampleProgress): void => status.update(...describeSampling(event));
  return sample({ ...job, drawAll, shard, signal, onProgress });
}

async function drawHere(
  { store, run }: Job,
  flags: SampleFlags,
  onProgress: (event: LoadProgress) => void,
): Promise<SampleTask["drawAll"]> {
  const { useMachine } = await import("../sampling/machine.js");
  const { workers, threads, memory, batch, weightsCache } = flags;
  const drawing = { threads, memory, batch, weightsCache, model: modelPlace(flags) };
  return useMachine(store, run, { ...drawing, workers, onProgress });
}

async function drawElsewhere({ store, run }: Job, address: string): Promise<SampleTask["drawAll"]> {
  const { drawByQueue } = await import("../sampling/queue/draw-by-queue.js");
  return (work) => drawByQueue({ ...work, store, run, address });
}
