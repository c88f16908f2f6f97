/** `scalekv worker`: draws what `scalekv sample --queue` asks for, on this machine, for whoever asks. */
import { Command } from "commander";
import type { PictureRecord } from "../sampling/records.js";
import { openStore } from "../sampling/open-store.js";
import { parseQueueAddress } from "../sampling/queue/address.js";
import type { ServeOptions, ServeReport } from "../sampling/queue/serve.js";
import { interruptible } from "./interrupt.js";
import { parseInteger, parseNumber } from "./numbers.js";
import { duration, StatusLine } from "./progress.js";
import { parseMemory } from "./sample-flags.js";

interface WorkerFlags {
  readonly queue: string;
  readonly out?: string;
  readonly once?: true;
  readonly lock?: number;
  readonly model?: string;
  readonly vae?: string;
  readonly textEncoder?: string;
  readonly threads?: number;
  readonly memory?: number;
  readonly batch?: number;
  readonly weightsCache?: boolean;
  readonly json?: true;
}

const HELP = `
A worker serves every run in the queue, one process a device. Model and settings are the run's: they come from its folder,
and a worker whose model files are others refuses. Ctrl-C, or SIGTERM, gives back what is being drawn. For s3:// the
environment holds AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where need be, AWS_REGION and AWS_ENDPOINT_URL.`;

/** The command, for the program that assembles them. */
export function workerCommand(): Command {
  return new Command("worker")
    .description("Draw pictures for scalekv sample --queue, until stopped.")
    .requiredOption("--queue <url>", "redis://host:6379, a Redis or a Valkey", parseQueueAddress)
    .option(
      "--out <dir>",
      "the run's folder as this machine sees it, or s3://bucket/prefix (default: as the sampler does)",
    )
    .option("--once", "end when nothing is left to draw")
    .option("--lock <seconds>", "of silence, after which others draw what this worker had (default: 30)", (text) =>
      parseNumber("--lock", text, { min: 1, max: 3600 }),
    )
    .option("--model <name|dir>", "where the model lies here (default: where it does for the sampler)")
    .option("--vae <file>", "the autoencoder, if it is not beside the model")
    .option("--text-encoder <dir>", "the text encoder, if it is not beside the model")
    .option("--threads <n>", "CPU threads (default: one per core)", (text) =>
      parseInteger("--threads", text, { min: 1, max: 1024 }),
    )
    .option("--memory <size>", "such as 4GiB (default: most of what is free)", parseMemory)
    .option("--batch <n>", "images drawn at once (default: as many as the memory allows)", (text) =>
      parseInteger("--batch", text, { min: 1, max: 1024 }),
    )
    .option("--no-weights-cache", "make matrices in 8 and 4 bits anew instead of keeping them on disk")
    .option("--json", "print the report as JSON")
    .addHelpText("after", HELP)
    .action(work);
}

async function work(flags: WorkerFlags): Promise<void> {
  const status = new StatusLine(process.stderr);
  const begun = performance.now();
  let drawn = 0;
  const onRecord = ({ file }: PictureRecord): void => {
    drawn++;
    const rate = drawn / ((performance.now() - begun) / 1000);
    // How much is left, only the sampler knows.
    status.update(0, `${drawn} drawn, ${rate.toPrecision(2)}/s, last ${file}`);
  };
  // Being stopped is a worker's usual end, and what it did counts then as well.
  const onEnd = (report: ServeReport): void => {
    status.clear();
    const seconds = (performance.now() - begun) / 1000;
    process.stdout.write(flags.json ? `${JSON.stringify({ ...report, seconds })}\n` : format(report, seconds));
  };
  await interruptible(async (signal) => {
    try {
      const { serve } = await import("../sampling/queue/serve.js");
      const onRefusal = (message: string): void => {
        status.clear();
        process.stderr.write(`scalekv: the queue refuses: ${message}\n`);
      };
      await serve({ ...(await serveOptions(flags)), signal, onRecord, onRefusal, onEnd });
    } finally {
      status.clear();
    }
  });
}

async function serveOptions(flags: WorkerFlags): Promise<Omit<ServeOptions, "signal" | "onRecord" | "onEnd">> {
  const { queue: address, out, once, lock, model, vae, textEncoder, threads, memory, batch, weightsCache } = flags;
  const { openStation } = await import("../sampling/station.js");
  return {
    ...{ address, once, lock },
    openStore: (place) => openStore(out ?? place),
    openStation: (store, run, signal) => {
      const place = model === undefined ? undefined : { name: model, vae, textEncoder };
      return openStation(store, run, { threads, memory, batch, weightsCache, signal, model: place });
    },
  };
}

function format({ drawn, failed }: ServeReport, seconds: number): string {
  return `${drawn} pictures drawn, ${failed} times one failed, ${duration(seconds)}\n`;
}
