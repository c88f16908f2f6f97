/** Which emojis are drawn, and what they are called. */
import { createRequire } from "node:module";
import { join } from "node:path";

/** An emoji worth drawing. */
export interface Emoji {
  /** Plain lower-case words: `red apple`. */
  readonly name: string;
  readonly group: string;
  /** Its code points, written in the ways the packages write them; the first is its id. */
  readonly codes: readonly string[];
}

/** A line of emojibase-data. */
interface EmojiEntry {
  readonly label: string;
  readonly hexcode: string;
  readonly group?: number;
}

/** Groups of Unicode's list: no flags, people (skin tones, families), components or signs. */
const GROUPS: ReadonlyMap<number, string> = new Map([
  [0, "smiley"],
  [3, "nature"],
  [4, "food"],
  [5, "travel"],
  [6, "activity"],
  [7, "object"],
]);

/** Clock faces are twenty-four of one kind; the others cannot be told from their names. */
const UNWANTED = /o[’']clock|thirty$|^map of|silhouette|^face without mouth$/;

/** All emojis worth drawing, in Unicode's order, from the package installed below `folder`. */
export function readEmojis(folder: string): readonly Emoji[] {
  const require = createRequire(join(folder, "package.json"));
  const entries = require("emojibase-data/en/data.json") as readonly EmojiEntry[];
  return entries.flatMap(({ label, hexcode, group }) => {
    const name = group === undefined ? undefined : GROUPS.get(group);
    if (name === undefined || UNWANTED.test(label)) return [];
    const code = hexcode.toLowerCase();
    return [{ name: plainName(label), group: name, codes: [code, code.replaceAll("-fe0f", ""), `${code}-fe0f`] }];
  });
}

/** Words that a small tokenizer can spell: `piñata` becomes `pinata`, `T-Rex` becomes `t rex`. */
export function plainName(label: string): string {
  const ascii = label.normalize("NFD").replaceAll(/[^\x20-\x7e]/g, "");
  return ascii
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, " ")
    .trim();
}
