/** DPG-Bench: a folder with one text file a prompt (Node only). */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { OptionError } from "../../errors.js";
import { checkedPrompt } from "./check.js";
import type { PromptEntry } from "./entry.js";
import { PictureNames } from "./picture-names.js";
import { readText, unreadable } from "./source.js";

const ENDING = ".txt";
/** The evaluator crops four pictures out of a grid of 2 x 2. */
const SAMPLES = 4;

/**
 * The prompts in the order of their files' names, by UTF-16 code unit. The evaluator wants a folder with nothing but
 * grids, named as the prompts' files, so they go to `images/`. Picture j of prompt i has the seed 4 i + j.
 *
 * @throws OptionError for a folder without text files, a file that is not one prompt, and a name the evaluator would cut
 */
export async function readDpg(folder: string, name: string): Promise<PromptEntry[]> {
  const names = new PictureNames();
  const entries: PromptEntry[] = [];
  for (const [place, file] of (await promptFiles(folder, name)).entries()) {
    const where = `${name}: ${file}`;
    const stem = file.slice(0, -ENDING.length);
    if (stem.includes(".")) throw new OptionError(`${where}: the evaluator cuts names at their first dot`);
    const prompt = checkedPrompt(await readText(join(folder, file), where), where).trim();
    const seeds = Array.from({ length: SAMPLES }, (_, sample) => place * SAMPLES + sample);
    entries.push({ prompt, pictures: [{ seeds, file: names.claim(`images/${stem}.png`, where) }] });
  }
  return entries;
}

/** Hidden files are the system's own. */
async function promptFiles(folder: string, name: string): Promise<string[]> {
  try {
    const files = await readdir(folder);
    return files.filter((file) => file.endsWith(ENDING) && !file.startsWith(".")).sort();
  } catch (error) {
    throw unreadable(name, error);
  }
}
