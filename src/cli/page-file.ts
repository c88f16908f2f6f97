/** Where a command's page goes. */
import { OptionError } from "../errors.js";
import { checkWritable } from "./image-file.js";

/** Refuses, before any work is done for it, an `--out` that is no page or could not be written. */
export async function checkPage(file: string): Promise<void> {
  if (!/\.html?$/i.test(file)) throw new OptionError(`--out ${file}: the ending is not .html`);
  await checkWritable(file);
}
