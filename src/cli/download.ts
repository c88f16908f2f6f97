/** `scalekv download`: a published model into the Hugging Face cache. */
import { Command } from "commander";
import { FLAN_T5_XL, FLAN_T5_XL_NAME, PUBLISHED_MODELS } from "../models/catalogue.js";
import { downloadModel } from "../models/download.js";
import { interruptible } from "./interrupt.js";
import { StatusLine } from "./progress.js";
import { mebibytes } from "./table.js";

const HELP = `
Models:
${PUBLISHED_MODELS.map(({ name, title }) => `  ${name.padEnd(17)}${title}`).join("\n")}
  ${FLAN_T5_XL_NAME.padEnd(17)}${FLAN_T5_XL.repo}, the text encoder of them all, by itself

Environment:
  HF_HOME, HF_HUB_CACHE  where the cache is (default ~/.cache/huggingface)
  HF_ENDPOINT, HF_TOKEN  another hub, and an access token for it`;

/** The command, for the program that assembles them. */
export function downloadCommand(): Command {
  return new Command("download")
    .description("Download a published model; a download that was stopped goes on where it was.")
    .argument("<name>", "the model's name")
    .addHelpText("after", HELP)
    .action(download);
}

async function download(name: string): Promise<void> {
  const line = new StatusLine(process.stderr);
  try {
    const { files, bytes } = await interruptible((signal) =>
      downloadModel(name, {
        signal,
        onProgress: ({ file, received, total }) => {
          line.update(received / total, `${mebibytes(received)} of ${mebibytes(total)} MiB: ${file}`);
        },
      }),
    );
    line.clear();
    process.stdout.write(`${name}: ${files} files, ${mebibytes(bytes)} MiB, checked\n`);
  } finally {
    line.clear();
  }
}
