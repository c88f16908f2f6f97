/** A folder for ONNX Runtime's profiles, which take megabytes and shall not outlast the program. */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OptionError } from "../errors.js";
import { systemCode } from "../files/system-error.js";

/** Sessions that still write delay the removal of their folder. */
const REMOVAL = { recursive: true, force: true, maxRetries: 3 } as const;

/**
 * Lends a new folder to `work` and removes it afterwards, or when the program ends before.
 *
 * @throws OptionError where TMPDIR takes no folder
 */
export async function inProfileFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await makeFolder();
  const remove = (): void => {
    rmSync(folder, REMOVAL);
  };
  process.once("exit", remove);
  try {
    return await work(folder);
  } finally {
    process.off("exit", remove);
    await rm(folder, REMOVAL);
  }
}

async function makeFolder(): Promise<string> {
  const place = tmpdir();
  try {
    return await mkdtemp(join(place, "scalekv-profile-"));
  } catch (error) {
    throw new OptionError(`TMPDIR ${place}: no folder can be made there: ${systemCode(error)}`);
  }
}
