/** JSON that is checked by a schema. */
import type { z } from "zod";
import { OptionError } from "../../errors.js";

/** The value of a text. @throws OptionError that begins with `where` and names the first thing that is wrong */
export function parseJson<T extends z.ZodType>(text: string, schema: T, where: string): z.infer<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new OptionError(`${where}: not JSON`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new OptionError([`${where}:`, ...(issue?.path ?? []), issue?.message ?? "invalid"].join(" "));
}
