/** Text out of files that nobody vouches for (Node only): of limited size, and UTF-8 throughout. */
import { createReadStream } from "node:fs";
import { OptionError } from "../../errors.js";
import { systemCode } from "../../files/system-error.js";

/** A set's text, and the name that begins every error about it. */
export interface Source {
  readonly name: string;
  readonly text: string;
}

/** A line that is not blank, without the space around it, and its number from 1. */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/** The captions of COCO's training pictures, the largest file of this kind, are 88 MiB. */
const MAX_BYTES = 2 ** 27;

const BYTE_ORDER_MARK = "\ufeff";

/**
 * A text file whole, without a byte order mark.
 *
 * @param name first words of every error
 * @throws OptionError where it cannot be read, is larger than 128 MiB, or is not text
 */
export async function readText(path: string, name: string): Promise<string> {
  const bytes = await readBytes(path, name);
  if (bytes.length > MAX_BYTES) throw new OptionError(`${name}: more than ${MAX_BYTES} bytes, the limit`);
  const text = decode(bytes);
  if (text === undefined) throw new OptionError(`${name}: line ${firstLineNotUtf8(bytes)}: not UTF-8`);
  const nul = text.indexOf("\0");
  if (nul >= 0) throw new OptionError(`${name}: line ${countLines(text.slice(0, nul))}: a NUL character, so not text`);
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

/** The lines that are not blank. */
export function linesOf(text: string): Line[] {
  return text.split("\n").flatMap((line, i) => {
    const trimmed = line.trim();
    return trimmed === "" ? [] : [{ number: i + 1, text: trimmed }];
  });
}

/** The system would not open or list something. */
export function unreadable(name: string, error: unknown): OptionError {
  return new OptionError(`${name}: cannot be read (${systemCode(error)})`, { cause: error });
}

/** At most one byte more than the limit: a pipe tells its length only by ending. */
async function readBytes(path: string, name: string): Promise<Buffer> {
  try {
    const parts: Buffer[] = [];
    for await (const part of createReadStream(path, { end: MAX_BYTES })) parts.push(part as Buffer);
    return Buffer.concat(parts);
  } catch (error) {
    throw unreadable(name, error);
  }
}

/** Undefined for what is not UTF-8. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** From 1. No character of several bytes contains a line feed's, so lines can be told apart before they are decoded. */
function firstLineNotUtf8(bytes: Buffer): number {
  let [line, start] = [1, 0];
  for (;;) {
    const feed = bytes.indexOf(0x0a, start);
    if (feed < 0 || decode(bytes.subarray(start, feed)) === undefined) return line;
    [line, start] = [line + 1, feed + 1];
  }
}

function countLines(text: string): number {
  return text.split("\n").length;
}
