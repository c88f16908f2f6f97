/**
 * A run's files in a bucket of S3, or of anything that speaks its language. An object appears whole or not at all, so
 * nothing is half done here; its hash is kept beside it, signed with the request and checked by the store against what it
 * got, so that pictures need not be read to be trusted.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { AwsClient } from "aws4fetch";
import { OptionError, SamplingError } from "../errors.js";
import { sha256 } from "./hash.js";
import type { Store, StoredFile } from "./store.js";

/** Header of the hash, among the metadata that S3 leaves to its users. */
const HASH = "x-amz-meta-sha256";
/** Tries of a request that gets no answer, and milliseconds before the second; each further pause is twice as long. */
const TRIES = 6;
const PAUSE = 100;
/** Milliseconds that an answer may take. */
const PATIENCE = 120_000;

/** What came back. */
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** The environment, under the names that AWS's own tools read. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the objects are, and the keys to them. */
interface Bucket {
  /** Address of the bucket, without a last slash. */
  readonly address: string;
  /** Begins every key; empty, or ending in a slash. */
  readonly prefix: string;
  readonly client: AwsClient;
}

/** Opened by its address, `s3://bucket/prefix`. */
export class S3Store implements Store {
  private constructor(
    readonly place: string,
    private readonly bucket: Bucket,
  ) {}

  /**
   * Reads `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION` (us-east-1) and, for stores
   * other than Amazon's, `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`.
   *
   * @throws OptionError where the address or a key is missing
   */
  static open(place: string, environment: Environment = process.env): S3Store {
    const [, name, path = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(place) ?? [];
    if (name === undefined) throw new OptionError(`${place}: not an address such as s3://bucket/prefix`);
    const prefix = path.replace(/\/+$/, "");
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
    if (!accessKeyId || !secretAccessKey) {
      throw new OptionError(`${place}: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are needed, and not set`);
    }
    const region = environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? "us-east-1";
    const session = environment.AWS_SESSION_TOKEN;
    const keys = { accessKeyId, secretAccessKey, ...(session && { sessionToken: session }) };
    const client = new AwsClient({ ...keys, service: "s3", region, retries: 0 });
    const address = addressOf(name, region, environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL);
    return new S3Store(place, { address, prefix: prefix === "" ? "" : `${prefix}/`, client });
  }

  async get(path: string): Promise<Uint8Array | undefined> {
    const answer = await this.ask("GET", path, [200, 404]);
    return answer.status === 404 ? undefined : answer.body;
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    await this.ask("PUT", path, [200], bytes);
  }

  async create(path: string, bytes: Uint8Array): Promise<boolean> {
    const answer = await this.ask("PUT", path, [200, 412], bytes, { "if-none-match": "*" });
    return answer.status === 200;
  }

  /** Every call makes an object of its own, as objects do not grow; `records.ts` knows these names. */
  async append(path: string, lines: string): Promise<void> {
    const dot = path.lastIndexOf(".");
    const own = `${path.slice(0, dot)}-${Date.now()}-${randomUUID().slice(0, 8)}${path.slice(dot)}`;
    await this.put(own, new TextEncoder().encode(lines));
  }

  async head(path: string): Promise<StoredFile | undefined> {
    const answer = await this.ask("HEAD", path, [200, 404]);
    if (answer.status === 404) return undefined;
    const size = Number(answer.headers.get("content-length"));
    return { path, size, sha256: answer.headers.get(HASH) ?? undefined };
  }

  /** A thousand objects an answer. */
  async list(prefix = ""): Promise<StoredFile[]> {
    const files: StoredFile[] = [];
    let token: string | undefined;
    do {
      const query = new URLSearchParams({
        "list-type": "2",
        "encoding-type": "url",
        prefix: this.bucket.prefix + prefix,
      });
      if (token !== undefined) query.set("continuation-token", token);
      const xml = decode((await this.ask("GET", `?${query}`, [200])).body);
      files.push(...this.filesIn(xml));
      token = textOf(xml, "NextContinuationToken");
    } while (token !== undefined);
    return files;
  }

  async remove(path: string): Promise<void> {
    await this.ask("DELETE", path, [200, 204, 404]);
  }

  /** Nothing is ever half done. */
  sweep(): Promise<void> {
    return Promise.resolve();
  }

  private filesIn(xml: string): StoredFile[] {
    const entries = xml.match(/<Contents>.*?<\/Contents>/gs) ?? [];
    return entries.map((entry) => {
      // As a form field: a plus sign is a space.
      const key = decodeURIComponent((textOf(entry, "Key") ?? "").replaceAll("+", " "));
      return { path: key.slice(this.bucket.prefix.length), size: Number(textOf(entry, "Size")) };
    });
  }

  /** One request; `path` may be a query instead. @throws SamplingError for an answer that is none of `expected` */
  private async ask(
    method: string,
    path: string,
    expected: readonly number[],
    body?: Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const { address, prefix } = this.bucket;
    const url = path.startsWith("?") ? `${address}/${path}` : `${address}/${encodeKey(prefix + path)}`;
    const hash = sha256(body ?? "");
    const signed = { ...headers, "x-amz-content-sha256": hash, ...(body && { [HASH]: hash }) };
    const answer = await this.persist(url, { method, headers: signed, ...(body && { body: Buffer.from(body) }) });
    if (expected.includes(answer.status)) return answer;
    const reason = textOf(decode(answer.body), "Code") ?? "no reason given";
    throw new SamplingError(`${this.place}/${path}: ${method} was answered by ${answer.status} (${reason})`);
  }

  /** Every request here may be sent twice: what the first did, the second does not change. */
  private async persist(url: string, request: RequestInit): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const answer = await this.send(url, request);
      const busy = answer instanceof Error || answer.status >= 500 || answer.status === 429 || answer.status === 409;
      if (!busy || tries === TRIES) {
        if (!(answer instanceof Error)) return answer;
        throw new SamplingError(`${this.place}: ${new URL(url).origin} does not answer (${answer.message})`, {
          cause: answer,
        });
      }
      await delay(PAUSE * 2 ** (tries - 1));
    }
  }

  /** The whole answer, or what kept it from coming: a connection may break in the middle of a body. */
  private async send(url: string, request: RequestInit): Promise<Answer | Error> {
    try {
      const signal = AbortSignal.timeout(PATIENCE);
      const answer = await this.bucket.client.fetch(url, { ...request, signal });
      const { status, headers } = answer;
      return { status, headers, body: new Uint8Array(await answer.arrayBuffer()) };
    } catch (error) {
      const { cause, message } = error as Error;
      return cause instanceof Error ? cause : new Error(message);
    }
  }
}

/** Amazon has a host for every bucket, but its certificates know no dots in their names; other stores have a path. */
function addressOf(name: string, region: string, endpoint: string | undefined): string {
  if (endpoint !== undefined) return `${endpoint.replace(/\/+$/, "")}/${name}`;
  const host = `s3.${region}.amazonaws.com`;
  return name.includes(".") ? `https://${host}/${name}` : `https://${name}.${host}`;
}

function decode(text: Uint8Array): string {
  return new TextDecoder().decode(text);
}

function encodeKey(key: string): string {
  return key.split("/").map(encodeURIComponent).join("/");
}

/** What stands in an element; the store writes its own XML, and keys in it are percent-encoded. */
function textOf(xml: string, element: string): string | undefined {
  const [, text] = new RegExp(`<${element}>(.*?)</${element}>`, "s").exec(xml) ?? [];
  return text?.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
