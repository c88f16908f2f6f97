/**
 * One file from the hub to the disk. It grows under a name of its own, goes on where an earlier transfer broke off, and
 * gets its final name only after its checksum was found right.
 */
import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { DownloadError } from "../errors.js";
import { noSuchFile } from "../files/system-error.js";
import { lookAt } from "./paths.js";
import { hubError, isNetworkError, networkReason, refusal, type Checksum, type HubAccess } from "./hub-files.js";

/** A file on the web, and what tells that all of it has come. */
export interface RemoteFile {
  /** What messages call it. */
  readonly path: string;
  readonly address: string;
  /** Bytes. */
  readonly size: number;
  readonly checksum: Checksum;
}

/** How a transfer runs. */
export interface TransferOptions {
  readonly access: HubAccess;
  readonly signal?: AbortSignal | undefined;
  /** How often a transfer that stands still is taken up again, before it is given up. Default 5. */
  readonly retries?: number | undefined;
  /** Milliseconds before the first retry; every further one waits twice as long. Default 1000. */
  readonly retryDelay?: number | undefined;
  /** Told how many bytes of the file are here. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Bytes read at once when the start of a file is hashed again. */
const BLOCK = 1 << 20;

/** The name under which a file grows. */
export function partialPath(path: string): string {
  return `${path}.incomplete`;
}

/**
 * Brings a file to `path`, through `path.incomplete`.
 * A refusal, a connection that stays broken and a wrong checksum are each a {@link DownloadError}; a damaged file is
 * removed, an incomplete one stays for the next attempt.
 */
export async function transfer(file: RemoteFile, path: string, options: TransferOptions): Promise<void> {
  const partial = partialPath(path);
  // Bytes are written at their own places, so that two transfers of one file at a time do no harm.
  const handle = await open(partial, constants.O_RDWR | constants.O_CREAT);
  let digest: string;
  try {
    const download = new Download(file, handle, options);
    await download.resume();
    digest = await download.finish();
  } finally {
    await handle.close();
  }
  const { algorithm, hex } = file.checksum;
  if (!digest.startsWith(hex)) {
    await rm(partial, { force: true });
    throw new DownloadError(`${file.path}: damaged transfer, removed: ${algorithm} is ${digest}, expected ${hex}`);
  }
  try {
    await rename(partial, path);
  } catch (error) {
    // Another transfer of the same file was faster.
    if (!noSuchFile(error) || !(await lookAt(path))) throw error;
  }
}

/** The state of one transfer: what is on disk, and the checksum of it. */
class Download {
  private have = 0;
  private hash: Hash;

  constructor(
    private readonly file: RemoteFile,
    private readonly handle: FileHandle,
    private readonly options: TransferOptions,
  ) {
    this.hash = newHash(file);
  }

  /** Takes up what an earlier transfer left. */
  async resume(): Promise<void> {
    const { size } = await this.handle.stat();
    // Longer than the file: not a beginning of it.
    if (size > this.file.size) return;
    const block = Buffer.alloc(BLOCK);
    while (this.have < size) {
      const { bytesRead } = await this.handle.read(block, 0, BLOCK, this.have);
      if (bytesRead === 0) break;
      this.hash.update(block.subarray(0, bytesRead));
      this.have += bytesRead;
    }
    this.options.onBytes?.(this.have);
  }

  /** Fetches the rest, through as many connections as it takes, and gives the whole file's checksum. */
  async finish(): Promise<string> {
    const { retries = 5, retryDelay = 1000 } = this.options;
    let failures = 0;
    while (this.have < this.file.size) {
      const before = this.have;
      const problem = await this.fetchRest();
      if (problem === undefined) break;
      failures = this.have > before ? 1 : failures + 1;
      if (failures > retries) throw this.brokeOff(problem);
      await this.wait(retryDelay * 2 ** (failures - 1));
    }
    await this.handle.truncate(this.file.size);
    return this.hash.digest("hex");
  }

  /** One connection. Returns what broke it, where another attempt may help; undefined once the file is whole. */
  private async fetchRest(): Promise<string | undefined> {
    const { access, signal } = this.options;
    try {
      const response = await this.request();
      // What else a refusal says is not read, and would keep the connection.
      if (!response.ok) await response.body?.cancel();
      if (response.status === 429 || response.status >= 500) return `status ${response.status}`;
      if (!response.ok || !response.body) throw refusal(response.status, this.file.path, access.endpoint);
      // A server that knows no ranges sends the file from its start.
      if (response.status !== 206) this.restart();
      for await (const chunk of response.body) await this.append(chunk);
      return this.have < this.file.size ? "the connection was closed" : undefined;
    } catch (error) {
      if (isNetworkError(error) && !signal?.aborted) return networkReason(error);
      throw hubError(error, this.file.path, access, signal);
    }
  }

  private request(): Promise<Response> {
    const { address } = this.file;
    const { access, signal } = this.options;
    const headers: Record<string, string> = { Range: `bytes=${this.have}-`, "Accept-Encoding": "identity" };
    if (access.token !== undefined) headers.Authorization = `Bearer ${access.token}`;
    return fetch(address, { headers, signal: signal ?? null });
  }

  private async wait(milliseconds: number): Promise<void> {
    const { access, signal } = this.options;
    try {
      await delay(milliseconds, undefined, signal ? { signal } : {});
    } catch (error) {
      throw hubError(error, this.file.path, access, signal);
    }
  }

  private async append(chunk: Uint8Array): Promise<void> {
    const { path, size } = this.file;
    if (this.have + chunk.byteLength > size) {
      await this.handle.truncate(0);
      throw new DownloadError(`${path}: damaged transfer: more than the ${size} bytes it should have`);
    }
    // One write may take less than it is given.
    for (let done = 0; done < chunk.byteLength;) {
      const { bytesWritten } = await this.handle.write(chunk, done, chunk.byteLength - done, this.have + done);
      done += bytesWritten;
    }
    this.hash.update(chunk);
    this.have += chunk.byteLength;
    this.options.onBytes?.(this.have);
  }

  private restart(): void {
    this.have = 0;
    this.hash = newHash(this.file);
  }

  private brokeOff(problem: string): DownloadError {
    const { path, size } = this.file;
    return new DownloadError(
      `${path}: the transfer broke off after ${this.have} of ${size} bytes (${problem}); the next attempt goes on from there`,
    );
  }
}

/** Git hashes a header with the content. */
function newHash({ checksum, size }: RemoteFile): Hash {
  return checksum.algorithm === "sha256" ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}
