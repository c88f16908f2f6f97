/** Plain text: one prompt a line, blank lines aside. */
import { checkedPrompt } from "./check.js";
import { numberedEntry, type PromptEntry } from "./entry.js";
import { linesOf, type Source } from "./source.js";

/** One prompt a line, without the space around it; the seed is the prompt's place, from 0. */
export function parseText({ name, text }: Source): PromptEntry[] {
  return linesOf(text).map((line, place) =>
    numberedEntry(checkedPrompt(line.text, `${name}: line ${line.number}`), place),
  );
}
