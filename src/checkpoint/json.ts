/** JSON out of files that nobody vouches for. */
import { CheckpointError } from "../errors.js";

/**
 * Values in one text: 6 for each tensor of a header. A hundred megabytes of brackets would otherwise become several
 * gigabytes of arrays.
 */
const MAX_VALUES = 4_000_000;

/** Headers nest three deep. An error that prints a value recurses into it, and 20,000 brackets overflow the stack. */
const MAX_DEPTH = 64;

/**
 * The object in a text.
 *
 * @param where file and part of it, first words of the error
 * @throws CheckpointError for anything but a JSON object, and for one of more than four million values or more than 64
 *   levels
 */
export function parseObject(text: string, where: string): object {
  if (separators(text) > MAX_VALUES) throw new CheckpointError(`${where} has more than ${MAX_VALUES} values`);
  if (depth(text) > MAX_DEPTH) throw new CheckpointError(`${where} is nested deeper than ${MAX_DEPTH}`);
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

/** Most brackets open at once, those inside texts left out. */
function depth(text: string): number {
  let open = 0;
  let most = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) quoted = !quoted;
    // In a text a backslash takes away what the next character means.
    else if (quoted) i += code === 0x5c ? 1 : 0;
    else if (code === 0x5b || code === 0x7b) most = Math.max(most, ++open);
    else if (code === 0x5d || code === 0x7d) open--;
  }
  return most;
}
