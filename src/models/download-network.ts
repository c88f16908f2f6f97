/** The networks of metrics, from their publishers' addresses into the folder of PyTorch's hub. */
import { join } from "node:path";
import { DownloadError } from "../errors.js";
import { makeFolders } from "../files/make-folders.js";
import { writingProblem, type Downloaded, type DownloadOptions } from "./download.js";
import { hubError, refusal, type HubAccess } from "./hub-files.js";
import { lookAt } from "./paths.js";
import { NETWORKS, torchHubFolder, type NetworkName, type PublishedFile } from "./published-files.js";
import { transfer, type RemoteFile } from "./transfer.js";

/** How a network's download runs: none of its hosts asks for a token. */
export type NetworkDownloadOptions = Omit<DownloadOptions, "access">;

/**
 * Downloads a network's files (by default those published under its name) that are not there yet. What was checked when
 * it came is not checked again. Every reason why a file cannot be had is a {@link DownloadError}.
 */
export async function downloadNetwork(
  network: NetworkName,
  options: NetworkDownloadOptions = {},
  files: readonly PublishedFile[] = NETWORKS[network],
): Promise<Downloaded> {
  const folder = torchHubFolder();
  const sizes: number[] = [];
  for (const file of files)
    sizes.push((await lookAt(join(folder, file.name)))?.size ?? (await remoteSize(file, options)));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let received = 0;
  try {
    await makeFolders(folder);
    for (const [i, { name, address, sha256 }] of files.entries()) {
      const file = { path: name, address, size: sizes[i]!, checksum: { algorithm: "sha256" as const, hex: sha256 } };
      const before = received;
      const onBytes = (bytes: number): void => options.onProgress?.({ file: name, received: before + bytes, total });
      await fetchMissing(file, join(folder, name), { ...options, onBytes });
      received += file.size;
      onBytes(file.size);
    }
  } catch (error) {
    throw writingProblem(error, network);
  }
  return { files: files.length, bytes: total };
}

async function fetchMissing(
  file: RemoteFile,
  path: string,
  options: NetworkDownloadOptions & { readonly onBytes: (bytes: number) => void },
): Promise<void> {
  if (!(await lookAt(path))) await transfer(file, path, { ...options, access: accessTo(file) });
}

/** No more than the name of the host, for messages. */
function accessTo({ address }: { readonly address: string }): HubAccess {
  return { endpoint: new URL(address).origin };
}

/**
 * Bytes of a file as its server tells them when asked for the first one: behind some redirections a request for the head
 * alone is refused.
 */
async function remoteSize(file: PublishedFile, { signal }: NetworkDownloadOptions): Promise<number> {
  const access = accessTo(file);
  const headers = { Range: "bytes=0-0", "Accept-Encoding": "identity" };
  try {
    const response = await fetch(file.address, { headers, signal: signal ?? null });
    await response.body?.cancel();
    if (!response.ok) throw refusal(response.status, file.name, access.endpoint);
    const range = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
    const size = Number(range ?? response.headers.get("content-length"));
    if (size > 0) return size;
    throw new DownloadError(`${file.name}: ${access.endpoint} does not tell its size`);
  } catch (error) {
    throw hubError(error, file.name, access, signal);
  }
}
