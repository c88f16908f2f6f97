/** JSON lines: prompts that may bring seeds and names of their own. */
import { z } from "zod";
import { checked, checkedPrompt, parseJson } from "./check.js";
import { digits, numberedPicture, type PromptEntry } from "./entry.js";
import { PictureNames } from "./picture-names.js";
import { linesOf, type Source } from "./source.js";

const seed = z
  .int()
  .min(0)
  .max(2 ** 32 - 1);

/** Other fields are the user's own. */
const ROW = z.object({
  prompt: z.string(),
  seed: seed.optional(),
  file: z.string().optional(),
  id: z.union([z.string(), z.int()]).optional(),
  index: seed.optional(),
});

/**
 * One object a line, with the prompt in its field `prompt`. The seed is `seed`, or `index`, or the prompt's place. The
 * picture is `file`; or `id` with `.png`; or `index` in six digits, as HeatKV's script names the pictures of its manifest
 * (`{index, seed, prompt}`); or the prompt's place, as for plain text.
 *
 * @throws OptionError for a line that is not such an object, and for a name that is not safe or not the only one
 */
export function parseJsonl({ name, text }: Source): PromptEntry[] {
  const names = new PictureNames();
  return linesOf(text).map((line, place) => {
    const where = `${name}: line ${line.number}`;
    const row = checked(parseJson(line.text, where), ROW, where);
    const file = names.claim(pictureOf(row, place), where);
    return {
      prompt: checkedPrompt(row.prompt, where),
      pictures: [{ seeds: [row.seed ?? row.index ?? place], file }],
    };
  });
}

function pictureOf({ file, id, index }: z.infer<typeof ROW>, place: number): string {
  if (file !== undefined) return file;
  if (id !== undefined) return `${id}.png`;
  return index === undefined ? numberedPicture(place) : `${digits(index, 6)}.png`;
}
