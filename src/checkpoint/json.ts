/** JSON out of files that nobody vouches for. */
import { CheckpointError } from "../errors.js";

/**
 * Values in one text: 6 for each tensor of a header. A hundred megabytes of brackets would otherwise become several
 * gigabytes of arrays.
 */
const MAX_VALUES = 4_000_000;

/**
 * The object in a text.
 *
 * @param where file and part of it, first words of the error
 * @throws CheckpointError for anything but a JSON object, and for one of more than four million values
 */
export function parseObject(text: string, where: string): object {
  if (separators(text) > MAX_VALUES) throw new CheckpointError(`${where} has more than ${MAX_VALUES} values`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CheckpointError(`${where} is not JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new CheckpointError(`${where} is not a JSON object`);
  }
  return value;
}

/** Commas and opening brackets, those inside texts too: no fewer than a JSON text has values. */
export function separators(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x2c || code === 0x5b || code === 0x7b) count++;
  }
  return count;
}
