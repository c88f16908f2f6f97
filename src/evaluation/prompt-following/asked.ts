/** What prompts ask for: the lines of a file such as `training/prompts.py` writes. */
import { z } from "zod";
import { OptionError } from "../../errors.js";
import { KINDS, RELATIONS, type Art } from "./art.js";
import { parseJson } from "./json.js";

/** What can be asked of a picture. */
export const ASPECTS = ["names", "count", "relation", "style", "background"] as const;

/** One of {@link ASPECTS}. */
export type Aspect = (typeof ASPECTS)[number];

const SCHEMA = z.object({
  id: z.string(),
  category: z.string(),
  prompt: z.string(),
  check: z.array(z.enum(ASPECTS)).min(1),
  kind: z.enum(KINDS),
  names: z.array(z.string()).min(1).max(2),
  count: z.int().positive(),
  relation: z.enum(RELATIONS).nullable(),
  style: z.string().nullable(),
  background: z.array(z.string()).min(1).max(2).nullable(),
});

/**
 * A prompt with the scene it describes. `check` lists what its category asks of a picture; what the prompt leaves open
 * is null. The first of two names is the left or the upper one.
 */
export type Asked = Readonly<z.infer<typeof SCHEMA>>;

/** Whether a file's first line says what its picture should show: other prompt files have none of this. */
export function tellsWhatIsAsked(text: string): boolean {
  const [first = ""] = /\S.*/.exec(text) ?? [];
  try {
    const value: unknown = JSON.parse(first);
    return typeof value === "object" && value !== null && "check" in value;
  } catch {
    return false;
  }
}

/**
 * One prompt a line, as JSON.
 *
 * @param where first words of every error
 * @throws OptionError for a line of another form, for one that asks for something which it does not state or the art does
 *   not have, and where there is no line
 */
export function parseAsked(text: string, art: Art, where: string): Asked[] {
  const lines = text.split("\n").map((line, i) => [line.trim(), `${where}: line ${i + 1}`] as const);
  const asked = lines.flatMap(([line, place]) => (line === "" ? [] : [parseLine(line, art, place)]));
  if (asked.length === 0) throw new OptionError(`${where}: holds 0 prompts, at least 1 is needed`);
  return asked;
}

function parseLine(line: string, art: Art, where: string): Asked {
  const asked = parseJson(line, SCHEMA, where);
  const unstated = asked.check.find((aspect) => asked[aspect] === null);
  if (unstated) throw new OptionError(`${where}: check names ${unstated}, which is null`);
  const unknown = unknownIn(asked, art);
  if (unknown) throw new OptionError(`${where}: ${unknown}: not among the checker's`);
  return asked;
}

/** The first word that the art does not have. */
function unknownIn({ names, style, background }: Asked, { drawings, colours }: Art): string | undefined {
  const name = names.find((one) => !drawings.some((drawing) => drawing.name === one));
  if (name !== undefined) return `name ${name}`;
  if (style !== null && !drawings.some((drawing) => drawing.style === style)) return `style ${style}`;
  const colour = background?.find((one) => !colours.has(one));
  return colour === undefined ? undefined : `background ${colour}`;
}
