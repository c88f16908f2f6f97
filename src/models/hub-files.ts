/** What a repository on the Hugging Face Hub holds, and what its refusals mean. */
import { HUB_URL, HubApiError, listFiles, modelInfo, type ListFileEntry } from "@huggingface/hub";
import { DownloadError } from "../errors.js";
import type { HubFiles } from "./catalogue.js";
import { variable } from "./environment.js";
import { REVISION } from "./hub-cache.js";

/** Where the hub is and who asks. */
export interface HubAccess {
  /** The hub's address, without a slash at its end. */
  readonly endpoint: string;
  /** An access token (`hf_…`), where the caller has one. */
  readonly token?: string | undefined;
}

/**
 * SHA-256 of the content for large files; for small ones Git's: SHA-1 of `blob <size>\0` and the content. `hex` are the
 * digits it begins with, all of them where they are known.
 */
export interface Checksum {
  readonly algorithm: "sha256" | "git-sha1";
  readonly hex: string;
}

/** One file of a repository at one commit. */
export interface HubFile {
  readonly repo: string;
  readonly commit: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly checksum: Checksum;
}

/** Where the hub has a file's content. */
export function contentAddress({ repo, commit, path }: HubFile, { endpoint }: HubAccess): string {
  return `${endpoint}/${repo}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** The public hub, or another by the environment: `HF_ENDPOINT` and `HF_TOKEN`, as all of Hugging Face's tools read them. */
export function hubAccess(environment: NodeJS.ProcessEnv = process.env): HubAccess {
  const token = variable("HF_TOKEN", environment);
  if (token?.startsWith("hf_") === false) throw new DownloadError("HF_TOKEN: an access token starts with hf_");
  const endpoint = variable("HF_ENDPOINT", environment) ?? HUB_URL;
  if (!/^https?:\/\/[^/]/.test(endpoint)) throw new DownloadError(`HF_ENDPOINT: ${endpoint} is not a web address`);
  return { endpoint: endpoint.replace(/\/+$/, ""), token };
}

/**
 * The wanted files of a repository as its main branch has them now. A pattern that no file fits, a refusal and no
 * answer are each a {@link DownloadError}.
 */
export async function listHubFiles(
  { repo, files }: HubFiles,
  access: HubAccess,
  signal?: AbortSignal,
): Promise<HubFile[]> {
  const common = {
    hubUrl: access.endpoint,
    ...(access.token === undefined ? {} : { accessToken: access.token }),
    fetch: (input: RequestInfo | URL, init?: RequestInit) => fetch(input, { ...init, signal: signal ?? null }),
  };
  try {
    const { sha: commit } = await modelInfo({ ...common, name: repo, revision: REVISION, additionalFields: ["sha"] });
    const found: HubFile[] = [];
    for await (const entry of listFiles({ ...common, repo, revision: commit, recursive: true })) {
      if (entry.type === "file" && files.some((pattern) => fits(pattern, entry.path))) {
        found.push(checkedFile(repo, commit, entry));
      }
    }
    const absent = files.find((pattern) => !found.some(({ path }) => fits(pattern, path)));
    if (absent !== undefined) throw new DownloadError(`${repo}: the repository has no ${absent}`);
    return found;
  } catch (error) {
    throw hubError(error, repo, access, signal);
  }
}

/** A path equals its pattern; `folder/` stands for all below it, `*` for any part of a name. */
function fits(pattern: string, path: string): boolean {
  if (pattern.endsWith("/")) return path.startsWith(pattern);
  const [start = "", end] = pattern.split("*");
  if (end === undefined) return path === pattern;
  return path.startsWith(start) && path.endsWith(end) && !path.slice(start.length).includes("/");
}

/** Paths and checksums become names of files here, so nothing but plain ones is let through. */
function checkedFile(repo: string, commit: string, { path, size, oid = "", lfs }: ListFileEntry): HubFile {
  const checksum = lfs ? { algorithm: "sha256" as const, hex: lfs.oid } : { algorithm: "git-sha1" as const, hex: oid };
  const plain = path.split("/").every((name) => /^[\w.+ -]+$/.test(name) && name !== "." && name !== "..");
  const digits = lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/;
  const whole = Number.isSafeInteger(size) && size >= 0;
  if (!plain || !whole || !digits.test(checksum.hex) || !/^[0-9a-f]{40}$/.test(commit)) {
    throw new DownloadError(`${repo}: the hub's entry for ${JSON.stringify(path)} is malformed`);
  }
  return { repo, commit, path, size, checksum };
}

/** What went wrong between here and the hub, as a {@link DownloadError}; an abort and defects of ours pass unchanged. */
export function hubError(error: unknown, what: string, { endpoint }: HubAccess, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof HubApiError) return refusal(error.statusCode, what, endpoint);
  if (isNetworkError(error)) return new DownloadError(`${what}: no answer from ${endpoint} (${networkReason(error)})`);
  if (error instanceof SyntaxError) return new DownloadError(`${what}: ${endpoint} does not answer like a hub`);
  return error;
}

/** The meaning of an HTTP status that is not a success. */
export function refusal(status: number, what: string, endpoint: string): DownloadError {
  if (status === 401 || status === 403) {
    return new DownloadError(
      `${what}: ${endpoint} refuses access (${status}); set HF_TOKEN to a token that may read it`,
    );
  }
  if (status === 404) return new DownloadError(`${what}: not found on ${endpoint} (404)`);
  return new DownloadError(`${what}: ${endpoint} answered with status ${status}`);
}

/** `fetch` reports every broken connection as a TypeError; its cause says which. */
export function isNetworkError(error: unknown): error is TypeError {
  return error instanceof TypeError && (error.message === "fetch failed" || error.message === "terminated");
}

/** `ECONNREFUSED`, `ENOTFOUND`, … */
export function networkReason({ cause, message }: Error): string {
  const { code, message: inner } = (cause ?? {}) as { code?: string; message?: string };
  return code ?? inner ?? message;
}
