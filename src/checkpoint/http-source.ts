/**
 * Files on a web server as byte sources. Every read is one request for a range of bytes (RFC 9110, section 14), so that
 * a weight crosses the network when it is needed, and once.
 */
import { DownloadError } from "../errors.js";
import { bytesSource, checkRange, type ByteSource } from "./source.js";

/** A file on a server that sends no ranges is fetched whole up to this size. */
export const MAX_WHOLE_BYTES = 256 * 2 ** 20;

class HttpSource implements ByteSource {
  constructor(
    readonly name: string,
    readonly size: number,
  ) {}

  async read(offset: number, length: number): Promise<Uint8Array> {
    checkRange(this, offset, length);
    if (length === 0) return new Uint8Array(0);
    const response = await fetchFile(this.name, offset, length);
    // Another size is another file, and a whole file is no range.
    if (response.status !== 206 || totalSize(response) !== this.size) {
      await response.body?.cancel();
      throw new DownloadError(`${this.name}: changed on the server while it was read`);
    }
    const bytes = await bodyOf(response, this.name);
    if (bytes.byteLength !== length) {
      throw new DownloadError(`${this.name}: ${bytes.byteLength} bytes came where ${length} were asked for`);
    }
    return bytes;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/**
 * Opens the file at an absolute address.
 *
 * Errors: {@link DownloadError} where the server cannot be reached, answers with an error status, does not tell the
 * file's size, or sends no ranges of a file larger than {@link MAX_WHOLE_BYTES}.
 */
export async function openHttp(address: string): Promise<ByteSource> {
  const response = await fetchFile(address, 0, 1);
  if (response.status !== 206) return bytesSource(address, await wholeFile(address, response));
  await bodyOf(response, address);
  const size = totalSize(response);
  if (size !== undefined) return new HttpSource(address, size);
  // From another origin a page sees only the headers that the server exposes to it.
  throw new DownloadError(`${address}: the server does not tell the file's size (header Content-Range)`);
}

/** The whole file at an absolute address, for small ones; errors as {@link openHttp}'s. */
export async function fetchText(address: string): Promise<string> {
  return new TextDecoder().decode(await boundedBody(await fetchFile(address), address));
}

/** Whether the server says that there is no such file; what else may be wrong with it shows when it is opened. */
export async function isMissing(address: string): Promise<boolean> {
  return (await send(address, { method: "HEAD" })).status === 404;
}

/** The answer to a request for a file or `length` bytes of it from `offset`; an error status is a {@link DownloadError}. */
async function fetchFile(address: string, offset?: number, length = 0): Promise<Response> {
  const headers = offset === undefined ? {} : { Range: `bytes=${offset}-${offset + length - 1}` };
  const response = await send(address, { headers });
  if (response.ok) return response;
  await response.body?.cancel();
  throw new DownloadError(`${address}: HTTP status ${response.status} ${response.statusText}`.trimEnd());
}

async function send(address: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(address, request);
  } catch (error) {
    throw new DownloadError(`${address}: cannot be fetched (${reasonOf(error)})`);
  }
}

/** A file's size from `Content-Range: bytes 0-0/SIZE`. */
function totalSize(response: Response): number | undefined {
  const total = /^bytes \d+-\d+\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1];
  return total === undefined ? undefined : Number(total);
}

/** An answer that is the file itself, although a range was asked for. */
async function wholeFile(address: string, response: Response): Promise<Uint8Array> {
  const size = Number(response.headers.get("Content-Length") ?? 0);
  if (size <= MAX_WHOLE_BYTES) return boundedBody(response, address);
  await response.body?.cancel();
  throw new DownloadError(
    `${address}: the server sends no ranges of files, and ${size} bytes are more than the ${MAX_WHOLE_BYTES} fetched whole`,
  );
}

async function bodyOf(response: Response, address: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw brokeOff(address, error);
  }
}

/**
 * A body of at most {@link MAX_WHOLE_BYTES}, counted while they come: a server need not tell a size, and what it tells of
 * a compressed body is another one.
 */
async function boundedBody(response: Response, address: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    // Not every browser's streams can be iterated over.
    const reader = response.body?.getReader();
    for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
      parts.push(part.value);
      length += part.value.byteLength;
      if (length <= MAX_WHOLE_BYTES) continue;
      await reader?.cancel();
      break;
    }
  } catch (error) {
    throw brokeOff(address, error);
  }
  if (length <= MAX_WHOLE_BYTES) return joined(parts, length);
  throw new DownloadError(`${address}: more bytes come than the ${MAX_WHOLE_BYTES} fetched whole`);
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let filled = 0;
  for (const part of parts) {
    bytes.set(part, filled);
    filled += part.byteLength;
  }
  return bytes;
}

function brokeOff(address: string, error: unknown): DownloadError {
  return new DownloadError(`${address}: the transfer broke off (${reasonOf(error)})`);
}

/** Node hides the reason of "fetch failed" one level down; browsers tell none. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const inner = cause instanceof Error ? cause : error;
  return (inner instanceof Error ? inner.message : String(inner)).split("\n")[0] ?? "";
}
