/** PartiPrompts' table: tab-separated columns under a header, one prompt a row. */
import { OptionError } from "../../errors.js";
import { checkedPrompt } from "./check.js";
import { numberedEntry, type PromptEntry } from "./entry.js";
import type { Source } from "./source.js";

/** First row of `PartiPrompts.tsv` (Yu et al. 2022, github.com/google-research/parti). */
const COLUMNS = ["Prompt", "Category", "Challenge", "Note"];
const HEADER = COLUMNS.join("\t");

/** Whether a text begins with the table's header. */
export function isParti(text: string): boolean {
  return text.trimStart().startsWith(HEADER);
}

/**
 * The prompts of the table; the seed is the prompt's place, from 0. The table quotes nothing: a quotation mark, even the
 * first of a row, is part of the prompt.
 *
 * @throws OptionError for another header, and a row of another number of columns
 */
export function parseParti({ name, text }: Source): PromptEntry[] {
  const [header, ...rows] = rowsOf(text);
  if (header?.text !== HEADER) throw new OptionError(`${name}: the header is not ${COLUMNS.join(", ")}`);
  return rows.map(({ number, text: row }, place) => {
    const where = `${name}: line ${number}`;
    const cells = row.split("\t");
    if (cells.length !== COLUMNS.length) {
      throw new OptionError(`${where}: ${cells.length} columns, not ${COLUMNS.length}`);
    }
    return numberedEntry(checkedPrompt(cells[0]!, where).trim(), place);
  });
}

/** Rows that are not blank. Tabs at their ends count, as the last column is often empty. */
function rowsOf(text: string): { readonly number: number; readonly text: string }[] {
  return text.split("\n").flatMap((line, i) => {
    const row = line.replace(/\r$/, "");
    return row.trim() === "" ? [] : [{ number: i + 1, text: row }];
  });
}
