/** A server on this machine that speaks the part of the Hugging Face Hub's language a download needs. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One file of a repository. */
export interface ServedFile {
  readonly content: Buffer;
  /** Large files have a SHA-256, small ones Git's own checksum. */
  readonly large: boolean;
}

/** Files by repository and path. */
export type ServedRepos = Readonly<Record<string, Readonly<Record<string, ServedFile>>>>;

/** What a test may do to an answer with content. */
export interface Fault {
  /** Breaks the connection after so many bytes of this answer. */
  readonly breakAfter?: number;
  /** Sends this status instead. */
  readonly status?: number;
  /** Changes the bytes on their way. */
  readonly corrupt?: (bytes: Buffer) => Buffer;
  /** Sends the whole file, whatever range was asked for. */
  readonly ignoreRange?: true;
}

/** A running server. */
export interface HubServer {
  readonly endpoint: string;
  /** `path from-byte`, one for each request for content. */
  readonly requests: readonly string[];
  /** The `Authorization` headers that came, once each. */
  readonly tokens: ReadonlySet<string>;
  close(): Promise<void>;
}

/** The commit every repository is at. */
export const COMMIT = "89abcdef0123456789abcdef0123456789abcdef";

/** Checksum of a file as the hub gives it. */
export function checksumOf({ content, large }: ServedFile): string {
  if (large) return createHash("sha256").update(content).digest("hex");
  return createHash("sha1").update(`blob ${content.byteLength}\0`).update(content).digest("hex");
}

/** Starts a server; `fault` is asked before each answer with content, with the path and the number of the request for it. */
export async function startHub(
  repos: ServedRepos,
  fault: (path: string, attempt: number) => Fault | undefined = () => undefined,
): Promise<HubServer> {
  const requests: string[] = [];
  const tokens = new Set<string>();
  const server = createServer((request, response) => {
    if (request.headers.authorization !== undefined) tokens.add(request.headers.authorization);
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const [, repo = "", kind = "", rest = ""] =
      /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(revision|tree|resolve)\/(.*)$/.exec(pathname) ?? [];
    const files = repos[repo];
    const path = kind === "resolve" ? decodeURIComponent(rest.slice(COMMIT.length + 1)) : "";
    const file = files?.[path];
    if (files && kind === "revision") sendJson(response, { id: repo, sha: COMMIT });
    else if (files && kind === "tree") sendJson(response, treeOf(files));
    else if (file) {
      const from = firstByte(request);
      requests.push(`${path} ${from}`);
      const attempt = requests.filter((each) => each.startsWith(`${path} `)).length;
      sendContent(response, file.content, from, fault(path, attempt) ?? {});
    } else response.writeHead(404).end("not found");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, tokens, close };
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function treeOf(files: Readonly<Record<string, ServedFile>>): object[] {
  return Object.entries(files).map(([path, file]) => treeEntry(path, file));
}

function treeEntry(path: string, file: ServedFile): object {
  const size = file.content.byteLength;
  const oid = checksumOf({ ...file, large: false });
  return {
    type: "file",
    path,
    size,
    oid,
    ...(file.large ? { lfs: { oid: checksumOf(file), size, pointerSize: 134 } } : {}),
  };
}

function firstByte({ headers }: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
}

function sendContent(response: ServerResponse, content: Buffer, from: number, fault: Fault): void {
  if (fault.status !== undefined) {
    response.writeHead(fault.status).end("fault");
    return;
  }
  const start = fault.ignoreRange ? 0 : from;
  const part = content.subarray(start);
  const body = fault.corrupt?.(part) ?? part;
  response.writeHead(fault.ignoreRange ? 200 : 206, {
    "content-length": body.byteLength,
    "content-range": `bytes ${start}-${content.byteLength - 1}/${content.byteLength}`,
  });
  if (fault.breakAfter === undefined) response.end(body);
  else response.write(body.subarray(0, fault.breakAfter), () => response.destroy());
}
