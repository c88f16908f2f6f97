/** A text file of prompts, one a line. */
import { readFile } from "node:fs/promises";
import { OptionError } from "../errors.js";

/** The lines that are not blank. */
export async function readPrompts(file: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw new OptionError(`--prompts ${file}: cannot be read (${code})`, { cause: error });
  }
  const prompts = text.split(/\r?\n/).flatMap((line) => line.trim() || []);
  if (prompts.length === 0) throw new OptionError(`--prompts ${file}: holds 0 prompts, at least 1 is needed`);
  return prompts;
}
