/** Strict reading of the command line's numbers: the whole text is a number inside its range, or it is an error. */
import { OptionError } from "../errors.js";
import type { ImageSize } from "../generate/types.js";

/** The smallest and the largest allowed value, both included. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Decimal notation only: `Number` alone would also take "", " 7 ", "0x10" and "Infinity". */
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;

/** Pixels along one side of a wished image, as schedules allow them. */
const SIDE: Range = { min: 64, max: 4096 };

/** A number in a range. */
export function parseNumber(flag: string, text: string, { min, max }: Range): number {
  const value = DECIMAL.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max))
    throw new OptionError(`${flag} ${shown(text)}: not a number from ${min} to ${max}`);
  return value;
}

/** A whole number in a range. */
export function parseInteger(flag: string, text: string, { min, max }: Range): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) {
    throw new OptionError(`${flag} ${shown(text)}: not a whole number from ${min} to ${max}`);
  }
  return value;
}

/** One number for all scales, or several with commas between them, one a scale. */
export function parsePerScale(flag: string, text: string, range: Range): number | readonly number[] {
  const values = text.split(",").map((part) => parseNumber(flag, part, range));
  const [first] = values;
  return values.length === 1 && first !== undefined ? first : values;
}

/** A size like `768x512`, width first, in pixels. */
export function parseSize(flag: string, text: string): ImageSize {
  const [width, height, ...rest] = text.split("x");
  if (width === undefined || height === undefined || rest.length > 0) {
    throw new OptionError(`${flag} ${shown(text)}: not WIDTHxHEIGHT in pixels, such as 768x512`);
  }
  return { width: parseInteger(flag, width, SIDE), height: parseInteger(flag, height, SIDE) };
}

/** A value in a message; nothing at all would not be seen there. */
function shown(text: string): string {
  return text === "" ? '""' : text;
}
