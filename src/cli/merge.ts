/** `scalekv merge`: folders of one run, drawn on different machines, become one. */
import { Command } from "commander";
import { merge } from "../sampling/merge.js";
import { isBucket, openStore } from "../sampling/open-store.js";
import { makeFolder } from "./image-file.js";
import { Incomplete } from "./incomplete.js";
import { formatMerge } from "./sample-report.js";

/** The command, for the program that assembles them. */
export function mergeCommand(): Command {
  return new Command("merge")
    .description(
      "Join sampling folders of the same prompts and settings, such as shards; exit code 1 if it is not whole.",
    )
    .argument("<out>", "where to; it may hold a part of the run already")
    .argument("<dir...>", "what scalekv sample wrote")
    .option("--json", "print the report as JSON")
    .action(mergeFolders);
}

async function mergeFolders(
  out: string,
  folders: readonly string[],
  { json }: { readonly json?: true },
): Promise<void> {
  if (!isBucket(out)) await makeFolder("<out>", out);
  const report = await merge(await openStore(out), await Promise.all(folders.map(openStore)));
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatMerge(report));
  if (report.missing > 0 || report.damaged.length > 0) throw new Incomplete();
}
