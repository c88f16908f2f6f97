/**
 * The cache that Hugging Face's tools share: `models--owner--name/refs/main` holds a commit,
 * `snapshots/<commit>/<path>` links to `blobs/<checksum>`.
 */
import { join } from "node:path";
import { getHFHubCachePath, getRepoFolderName } from "@huggingface/hub";
import { readRegularText } from "../files/read-file.js";
import { noSuchFile } from "../files/system-error.js";
import { withoutHome } from "./environment.js";
import { unreadable } from "./paths.js";

/** The branch that is looked up. */
export const REVISION = "main";

/**
 * The folder of a repository. The cache's root: `HF_HUB_CACHE`, `HF_HOME`, or `~/.cache/huggingface/hub`; no home for the
 * latter is an `OptionError`.
 */
export function repoFolder(repo: string): string {
  return join(root(), getRepoFolderName({ type: "model", name: repo }));
}

function root(): string {
  try {
    return getHFHubCachePath();
  } catch (error) {
    throw withoutHome("HF_HOME", error);
  }
}

/** The folder of the snapshot that `main` points to; undefined where nothing of the repository was downloaded. */
export async function snapshotFolder(repo: string): Promise<string | undefined> {
  const branch = join(repoFolder(repo), "refs", REVISION);
  try {
    const commit = (await readRegularText(branch)).trim();
    return join(repoFolder(repo), "snapshots", commit);
  } catch (error) {
    if (noSuchFile(error)) return undefined;
    throw unreadable(branch, error);
  }
}
