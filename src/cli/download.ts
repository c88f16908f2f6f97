/** `scalekv download`: published models into the Hugging Face cache, the networks of metrics into PyTorch's. */
import { Command } from "commander";
import { FLAN_T5_XL, FLAN_T5_XL_NAME, PUBLISHED_MODELS } from "../models/catalogue.js";
import { checkModelName, downloadModel, type DownloadProgress } from "../models/download.js";
import { downloadNetwork } from "../models/download-network.js";
import { networkNamed } from "../models/published-files.js";
import { interruptible } from "./interrupt.js";
import { StatusLine } from "./progress.js";
import { mebibytes } from "./table.js";

const HELP = `
Models:
${PUBLISHED_MODELS.map(({ name, title }) => `  ${name.padEnd(17)}${title}`).join("\n")}
  ${FLAN_T5_XL_NAME.padEnd(17)}${FLAN_T5_XL.repo}, the text encoder of them all, by itself

Networks that scalekv score measures with:
  ${"lpips".padEnd(17)}torchvision's AlexNet (233 MiB) and the LPIPS authors' weights for it
  ${"inception".padEnd(17)}pytorch-fid's Inception (91 MiB), for fid and kid

Environment:
  HF_HOME, HF_HUB_CACHE  where the models' cache is (default ~/.cache/huggingface)
  HF_ENDPOINT, HF_TOKEN  another hub, and an access token for it
  TORCH_HOME             where the networks are, in hub/checkpoints (default ~/.cache/torch)`;

/** The command, for the program that assembles them. */
export function downloadCommand(): Command {
  return new Command("download")
    .description("Download published models, or networks that metrics need; one that was stopped goes on where it was.")
    .argument("<name...>", "names of models or networks")
    .addHelpText("after", HELP)
    .action(async (names: readonly string[]) => {
      // A slip in the last name shall not show after the gigabytes of the first.
      for (const name of names) if (!networkNamed(name)) checkModelName(name);
      for (const name of names) await download(name);
    });
}

async function download(name: string): Promise<void> {
  const line = new StatusLine(process.stderr);
  try {
    const onProgress = ({ file, received, total }: DownloadProgress): void =>
      line.update(received / total, `${mebibytes(received)} of ${mebibytes(total)} MiB: ${file}`);
    const network = networkNamed(name);
    const { files, bytes } = await interruptible((signal) =>
      network ? downloadNetwork(network, { signal, onProgress }) : downloadModel(name, { signal, onProgress }),
    );
    line.clear();
    process.stdout.write(`${name}: ${files} files, ${mebibytes(bytes)} MiB, checked\n`);
  } finally {
    line.clear();
  }
}
