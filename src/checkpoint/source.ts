/**
 * Where bytes come from: a file on disk, a blob in the browser, a buffer in a test.
 * Reading is positional and lazy, so a file of any size costs nothing until a tensor of it is needed.
 */
import { CheckpointError } from "../errors.js";

/** Random access to a named sequence of bytes. */
export interface ByteSource {
  /** Shown in errors: a path or an address. */
  readonly name: string;
  /** Length in bytes; may exceed 4 GiB. */
  readonly size: number;
  /** Real path on disk where there is one: ONNX Runtime then maps the weights from there by itself. */
  readonly path?: string;
  /**
   * Changes whenever the content does; absent where that cannot be told without reading all of it. What is derived from
   * the content may be kept under it.
   */
  fingerprint?(): Promise<string>;
  /** Exactly `length` bytes from `offset`; a range outside the source throws {@link CheckpointError}. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Gives back the file handle, if any. */
  close(): Promise<void>;
}

/** Refuses a range that is not inside the source. */
export function checkRange(source: ByteSource, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!whole || offset + length > source.size) {
    throw new CheckpointError(
      `${source.name}: bytes ${offset} to ${offset + length} are outside the file (${source.size} bytes)`,
    );
  }
}

/** A buffer as a source, for tests and for files fetched whole. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  const source: ByteSource = {
    name,
    size: bytes.byteLength,
    read(offset, length) {
      checkRange(source, offset, length);
      return Promise.resolve(bytes.subarray(offset, offset + length));
    },
    close: () => Promise.resolve(),
  };
  return source;
}
