/** What a set's values are checked for. Every message begins with `where`: the file and the place in it. */
import type { z } from "zod";
import { separators } from "../../checkpoint/json.js";
import { OptionError } from "../../errors.js";

/** Encoders read 512 tokens at most; a text far beyond that is another file's content. */
const MAX_CHARACTERS = 2 ** 14;
/** Twice those of COCO's training captions. A hundred megabytes of brackets would take minutes and gigabytes. */
const MAX_VALUES = 2 ** 23;

/** The prompt itself. @throws OptionError for a blank text and for one of more than 16,384 characters */
export function checkedPrompt(prompt: string, where: string): string {
  if (prompt.trim() === "") throw new OptionError(`${where}: the prompt is blank`);
  if (prompt.length <= MAX_CHARACTERS) return prompt;
  throw new OptionError(`${where}: the prompt has ${prompt.length} characters, more than ${MAX_CHARACTERS}`);
}

/** The value of a JSON text. @throws OptionError for another text, and for one of more than 8,388,608 values */
export function parseJson(text: string, where: string): unknown {
  const value = tryJson(text, where);
  if (value === undefined) throw new OptionError(`${where}: not JSON`);
  return value;
}

/** The same, but undefined for a text that is not JSON. */
export function tryJson(text: string, where: string): unknown {
  if (separators(text) > MAX_VALUES) throw new OptionError(`${where}: more than ${MAX_VALUES} values`);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A value as its schema describes it. @throws OptionError with the first thing that is wrong */
export function checked<T extends z.ZodType>(value: unknown, schema: T, where: string): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new OptionError([`${where}:`, ...(issue?.path ?? []), issue?.message ?? "invalid"].join(" "));
}
