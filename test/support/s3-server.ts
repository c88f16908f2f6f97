/**
 * A bucket in memory that speaks as much of S3 as runs need. It checks every request's signature by its own reading of
 * AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API request"), and the body's hash.
 */
import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const ACCESS_KEY = "AKIDEXAMPLE";
const SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const REGION = "eu-test-1";

interface StoredObject {
  readonly bytes: Buffer;
  /** `x-amz-meta-*`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a test sees of the server. */
export interface S3Server {
  /** Variables that lead to it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly objects: Map<string, StoredObject>;
  /** Method and path of every request. */
  readonly requests: string[];
  /** Codes to answer the next requests by, whatever they want. */
  readonly refusals: number[];
  /** Objects in one answer of a listing. */
  page: number;
}

/** Lends a server with a bucket named `pictures` to `work`. */
export async function withS3<T>(work: (server: S3Server) => Promise<T>): Promise<T> {
  const objects = new Map<string, StoredObject>();
  const environment = { AWS_ACCESS_KEY_ID: ACCESS_KEY, AWS_SECRET_ACCESS_KEY: SECRET_KEY, AWS_REGION: REGION };
  const state: S3Server = { environment, objects, requests: [], refusals: [], page: 1000 };
  const server = createServer((request, response) => void answer(state, request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    return await work(
      Object.assign(state, { environment: { ...environment, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}/` } }),
    );
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: string | Buffer;
}

const refusal = (status: number, code: string): Answer => ({ status, body: `<Error><Code>${code}</Code></Error>` });

async function answer(state: S3Server, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? "/", "http://host");
  state.requests.push(`${request.method} ${url.pathname}`);
  const { status, headers, body } = answerTo(state, request, url, Buffer.concat(chunks));
  response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : body);
}

function answerTo(state: S3Server, request: IncomingMessage, url: URL, body: Buffer): Answer {
  const busy = state.refusals.shift();
  if (busy !== undefined) return refusal(busy, "SlowDown");
  const problem = signatureProblem(request, url, body);
  if (problem !== undefined) return refusal(403, problem);
  const [, bucket, ...parts] = url.pathname.split("/");
  if (bucket !== "pictures") return refusal(404, "NoSuchBucket");
  const key = decodeURIComponent(parts.join("/"));
  if (key === "") return { status: 200, body: listing(state, url.searchParams) };
  const found = state.objects.get(key);
  if (request.method === "PUT") {
    if (found && request.headers["if-none-match"] === "*") return refusal(412, "PreconditionFailed");
    const metadata = Object.entries(request.headers).filter(([name]) => name.startsWith("x-amz-meta-"));
    state.objects.set(key, { bytes: body, metadata: Object.fromEntries(metadata) as Record<string, string> });
    return { status: 200 };
  }
  if (request.method === "DELETE") {
    state.objects.delete(key);
    return { status: 204 };
  }
  if (!found) return refusal(404, "NoSuchKey");
  return { status: 200, headers: { ...found.metadata, "content-length": found.bytes.length }, body: found.bytes };
}

/** ListObjectsV2; the token is the number of objects that were told. */
function listing({ objects, page }: S3Server, query: URLSearchParams): string {
  const keys = [...objects.keys()].filter((key) => key.startsWith(query.get("prefix") ?? "")).sort();
  const start = Number(query.get("continuation-token") ?? 0);
  const more = start + page < keys.length;
  const contents = keys.slice(start, start + page).map((key) => {
    const encoded = encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/");
    return `<Contents><Key>${encoded}</Key><Size>${objects.get(key)!.bytes.length}</Size></Contents>`;
  });
  const token = more ? `<NextContinuationToken>${start + page}</NextContinuationToken>` : "";
  return `<?xml version="1.0"?><ListBucketResult><IsTruncated>${more}</IsTruncated>${token}${contents.join("")}</ListBucketResult>`;
}

/** What is wrong with a request's signature, as S3 names it. */
function signatureProblem({ method = "", headers }: IncomingMessage, url: URL, body: Buffer): string | undefined {
  const parts = /^AWS4-HMAC-SHA256 Credential=(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})$/.exec(
    headers.authorization ?? "",
  );
  if (!parts) return "AuthorizationHeaderMalformed";
  const [, credential = "", signed = "", signature] = parts;
  const hash = String(headers["x-amz-content-sha256"]);
  if (hash !== createHash("sha256").update(body).digest("hex")) return "XAmzContentSHA256Mismatch";
  const [key, ...scope] = credential.split("/");
  const time = String(headers["x-amz-date"]);
  if (key !== ACCESS_KEY || scope.join("/") !== `${time.slice(0, 8)}/${REGION}/s3/aws4_request`) return "InvalidScope";
  const names = signed.split(";");
  if (Object.keys(headers).some((name) => name.startsWith("x-amz-") && !names.includes(name))) return "UnsignedHeaders";
  const query = [...url.searchParams].map((pair) => pair.map(encodeStrictly).join("=")).sort();
  const canonical = [
    method,
    url.pathname
      .split("/")
      .map((part) => encodeStrictly(decodeURIComponent(part)))
      .join("/"),
    query.join("&"),
    ...names.map((name) => `${name}:${String(headers[name])}`),
    "",
    signed,
    hash,
  ].join("\n");
  const digest = createHash("sha256").update(canonical).digest("hex");
  const toSign = ["AWS4-HMAC-SHA256", time, scope.join("/"), digest].join("\n");
  const sign = (secret: Buffer | string, text: string): Buffer => createHmac("sha256", secret).update(text).digest();
  const derived = scope.reduce<Buffer | string>(sign, `AWS4${SECRET_KEY}`);
  return sign(derived, toSign).toString("hex") === signature ? undefined : "SignatureDoesNotMatch";
}

/** RFC 3986: everything but letters, digits and `-._~`. */
function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
