/** GenEval (Ghosh et al. 2023): `evaluation_metadata.jsonl`, one prompt a line with what its pictures should show. */
import { z } from "zod";
import { checked, checkedPrompt, parseJson } from "./check.js";
import { digits, type PromptEntry } from "./entry.js";
import { linesOf, type Source } from "./source.js";

/** What tells its lines from others; the evaluator reads more of them than this. */
const METADATA = z.object({ tag: z.string(), include: z.array(z.unknown()), prompt: z.string() });

/** Pictures that the benchmark asks for of each prompt. */
const SAMPLES = 4;

/** Whether a value is one line's. */
export function isGenEval(value: unknown): boolean {
  return METADATA.safeParse(value).success;
}

/**
 * The prompts, laid out for the official evaluator: a folder a prompt, `00000`, …, with the prompt's line as
 * `metadata.jsonl` and the pictures `samples/00000.png` to `00003.png`. Picture j of prompt i has the seed 4 i + j, where
 * the published script draws all four in sequence from one seed.
 *
 * @throws OptionError for a line that is no such metadata
 */
export function parseGenEval({ name, text }: Source): PromptEntry[] {
  return linesOf(text).map((line, place) => {
    const where = `${name}: line ${line.number}`;
    const { prompt } = checked(parseJson(line.text, where), METADATA, where);
    const folder = digits(place, 5);
    const pictures = Array.from({ length: SAMPLES }, (_, sample) => ({
      seeds: [place * SAMPLES + sample],
      file: `${folder}/samples/${digits(sample, 5)}.png`,
    }));
    const beside = { file: `${folder}/metadata.jsonl`, text: `${line.text}\n` };
    return { prompt: checkedPrompt(prompt, where), pictures, beside };
  });
}
