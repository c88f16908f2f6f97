/** `scalekv verify`: whether a sampling folder is whole. */
import { Command } from "commander";
import { openStore } from "../sampling/open-store.js";
import { verify } from "../sampling/verify.js";
import { Incomplete } from "./incomplete.js";
import { describeSampling, StatusLine } from "./progress.js";
import { formatVerification } from "./sample-report.js";

/** The command, for the program that assembles them. */
export function verifyCommand(): Command {
  return new Command("verify")
    .description("Check every file of a sampling folder; exit code 1 if one is missing, damaged or extra.")
    .argument("<dir>", "what scalekv sample wrote")
    .option("--json", "print the findings as JSON")
    .action(verifyFolder);
}

async function verifyFolder(folder: string, { json }: { readonly json?: true }): Promise<void> {
  const status = new StatusLine(process.stderr);
  try {
    const found = await verify(await openStore(folder), (done, total) =>
      status.update(...describeSampling({ stage: "check", done, total })),
    );
    status.clear();
    process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : formatVerification(found));
    if (found.problems.length > 0) throw new Incomplete();
  } finally {
    status.clear();
  }
}
