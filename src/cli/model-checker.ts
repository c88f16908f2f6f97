/** What a model brings along to check its pictures with, and the prompts that say what to check. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { OptionError } from "../errors.js";
import { CHECKER_FOLDER } from "../evaluation/prompt-following/art-folder.js";
import { parseAsked, tellsWhatIsAsked, type Asked } from "../evaluation/prompt-following/asked.js";
import { openChecker, type Checker } from "../evaluation/prompt-following/checker.js";
import { modelFolder } from "../models/folder.js";
import { readText } from "../sampling/prompt-sets/source.js";

/** Prompts whose combinations of words the model was not trained on. */
const HELD_OUT = "held-out.jsonl";

/** A checker, and prompts that it can check. */
export interface PromptCheck {
  readonly checker: Checker;
  readonly asked: readonly Asked[];
}

/**
 * A model's checker with a file's prompts, or with the held-out ones that came with the model.
 *
 * @throws OptionError for a model without a checker and for a file that does not say what its pictures should show;
 *   ModelError for an unknown model
 */
export async function openPromptCheck(model: string, prompts: string | undefined): Promise<PromptCheck> {
  const folder = await modelFolder(model);
  const checker = await openChecker(folder);
  if (!checker)
    throw new OptionError(`--model ${model}: has no checker: there is no folder ${join(folder, CHECKER_FOLDER)}`);
  const file = prompts ?? join(folder, CHECKER_FOLDER, HELD_OUT);
  const name = `--prompts ${file}`;
  return { checker, asked: parseAsked(await readText(file, name), checker.art, name) };
}

/** The same where it is possible; undefined for a model without a checker, and for prompts that do not say what to check. */
export async function findPromptCheck(model: string, prompts: string): Promise<PromptCheck | undefined> {
  // DPG-Bench's prompts are a folder.
  if ((await stat(prompts)).isDirectory()) return undefined;
  const name = `--prompts ${prompts}`;
  const text = await readText(prompts, name);
  if (!tellsWhatIsAsked(text)) return undefined;
  const checker = await openChecker(await modelFolder(model));
  return checker && { checker, asked: parseAsked(text, checker.art, name) };
}
