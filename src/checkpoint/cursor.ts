/**
 * Reading forward through bytes that nobody vouches for: every step is checked against the end, every failure is a
 * {@link CheckpointError} that names the file and the byte.
 */
import { CheckpointError } from "../errors.js";

// A byte order mark is part of the text: dropping it would change a name.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Longest piece of a file's text that an error message repeats. */
const SHOWN_CHARACTERS = 80;

/** Longest name that is printed as it is; published ones have at most 80 characters. */
const PLAIN_CHARACTERS = 1024;

/** Most sizes that an error message lists; published tensors have at most five. */
const SHOWN_SIZES = 16;

/** Text out of a file, made fit for one line of an error message: quoted, escaped, shortened. */
export function quoted(text: string): string {
  return shown(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);
}

/** A file's own name for something, fit for one line of a terminal: {@link quoted} if it holds control characters or is huge. */
export function printable(name: string): string {
  return name.length > PLAIN_CHARACTERS || /[\p{Cc}\u2028\u2029]/u.test(name) ? quoted(name) : name;
}

/** Sizes or strides out of a file, made fit for one line of an error message. */
export function shownSizes(sizes: readonly number[]): string {
  const rest = sizes.length > SHOWN_SIZES ? ", …" : "";
  return `[${sizes.slice(0, SHOWN_SIZES).join(", ")}${rest}]`;
}

/** A value of a file's JSON, whose depth parseObject bounds, made fit for one line of an error message. */
export function shown(value: unknown): string {
  if (value === undefined) return "(missing)";
  const json = JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029]/g, "?");
  // Escapes may take six characters for one.
  return json.length > 8 * SHOWN_CHARACTERS ? `${json.slice(0, SHOWN_CHARACTERS)}…` : json;
}

/** Sequential reader of a byte array; integers are little-endian unless said otherwise. */
export class ByteCursor {
  private readonly view: DataView;

  /**
   * @param bytes what is read
   * @param where file (and part of it), first words of every error
   * @param position byte to begin at
   */
  constructor(
    readonly bytes: Uint8Array,
    private readonly where: string,
    public position = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes left to read. */
  get remaining(): number {
    return this.bytes.byteLength - this.position;
  }

  u8(): number {
    return this.view.getUint8(this.advance(1));
  }

  u16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  i32(): number {
    return this.view.getInt32(this.advance(4), true);
  }

  /** An unsigned 64-bit length or offset; values from 2^53 up are refused, no file is that long. */
  u64(): number {
    const value = Number(this.view.getBigUint64(this.advance(8), true));
    if (!Number.isSafeInteger(value)) throw this.error(`a length or offset of ${value} is larger than any file`);
    return value;
  }

  /** A big-endian double, the only float a pickle has. */
  f64BigEndian(): number {
    return this.view.getFloat64(this.advance(8), false);
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Uint8Array {
    const start = this.advance(length);
    return this.bytes.subarray(start, start + length);
  }

  /** The next `length` bytes as UTF-8. */
  text(length: number): string {
    const bytes = this.take(length);
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.error("text is not UTF-8");
    }
  }

  /** UTF-8 up to the next line feed, which is passed over. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw this.error("a line has no end");
    const text = this.text(end - this.position);
    this.position++;
    return text;
  }

  /** An error at the current byte, for the caller to throw. */
  error(problem: string): CheckpointError {
    return new CheckpointError(`${this.where}: ${problem} (byte ${this.position})`);
  }

  private advance(length: number): number {
    if (length > this.remaining) throw this.error(`ends early: ${length} bytes expected, ${this.remaining} left`);
    const start = this.position;
    this.position += length;
    return start;
  }
}
