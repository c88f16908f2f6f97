/** A published model from the Hugging Face Hub into the cache that all of Hugging Face's tools share. */
import { link, mkdir, rm, statfs, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { DownloadError } from "../errors.js";
import { publishedModel, publishedNames } from "./catalogue.js";
import { repoFolder, REVISION } from "./hub-cache.js";
import { hubAccess, listHubFiles, type HubFile } from "./hub-files.js";
import { isFolder } from "./shelf.js";
import { transfer, type TransferOptions } from "./transfer.js";

/** How far a download is. */
export interface DownloadProgress {
  /** The file on its way, as the repository names it. */
  readonly file: string;
  /** Bytes of all files that are here, those of earlier downloads included. */
  readonly received: number;
  /** Bytes of all files. */
  readonly total: number;
}

/** How a download runs; the hub and the token come from the environment unless given. */
export interface DownloadOptions extends Partial<Omit<TransferOptions, "onBytes">> {
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** What a download brought. */
export interface Downloaded {
  readonly files: number;
  /** Bytes of all files, those that were here already included. */
  readonly bytes: number;
}

/**
 * Downloads a model by its published name: transformer, autoencoder and text encoder. Files that are here are left
 * alone, so a download that was stopped goes on where it was.
 * Every reason why a file cannot be had is a {@link DownloadError}.
 */
export async function downloadModel(name: string, options: DownloadOptions = {}): Promise<Downloaded> {
  const model = publishedModel(name);
  if (!model) throw new DownloadError(`${name}: no published model has this name (${publishedNames()})`);
  const { access = hubAccess(), signal, onProgress } = options;
  const wanted = [{ repo: model.repo, files: [model.transformer, model.vae] }, model.textEncoder];
  const files: HubFile[] = [];
  for (const want of wanted) files.push(...(await listHubFiles(want, access, signal)));
  await requireSpace(files);
  const total = sum(files);
  let received = 0;
  for (const file of files) {
    const before = received;
    const onBytes = (bytes: number) => onProgress?.({ file: file.path, received: before + bytes, total });
    await fetchInto(file, { ...options, access, onBytes });
    received += file.size;
    onBytes(file.size);
  }
  // Only now: until everything is here, the branch goes on naming the snapshot that was complete before.
  for (const file of new Map(files.map((each) => [each.repo, each])).values()) await writeRef(file);
  return { files: files.length, bytes: total };
}

function sum(files: readonly HubFile[]): number {
  return files.reduce((bytes, { size }) => bytes + size, 0);
}

/** Content is kept once, under its checksum. */
function blobPath({ repo, checksum }: HubFile): string {
  return join(repoFolder(repo), "blobs", checksum.hex);
}

/** What was begun before is counted as if all of it were still to come: the check is against filling a disk by surprise. */
async function requireSpace(files: readonly HubFile[]): Promise<void> {
  const missing: HubFile[] = [];
  for (const file of files) if ((await isFolder(blobPath(file))) === undefined) missing.push(file);
  const [first] = missing;
  if (!first) return;
  const folder = dirname(blobPath(first));
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  if (sum(missing) > bavail * bsize) {
    const gibibytes = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
    throw new DownloadError(
      `${folder}: ${gibibytes(sum(missing))} GiB are needed, ${gibibytes(bavail * bsize)} GiB are free; HF_HOME names another place`,
    );
  }
}

/** Content into `blobs`, and a link to it under its name. */
async function fetchInto(file: HubFile, options: TransferOptions): Promise<void> {
  const blob = blobPath(file);
  await mkdir(dirname(blob), { recursive: true });
  if ((await isFolder(blob)) === undefined) await transfer(file, blob, options);
  const name = join(repoFolder(file.repo), "snapshots", file.commit, file.path);
  await mkdir(dirname(name), { recursive: true });
  await rm(name, { force: true });
  try {
    await symlink(relative(dirname(name), blob), name);
  } catch (error) {
    // Windows lets only some users make symbolic links; a hard link serves as well.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
    await link(blob, name);
  }
}

async function writeRef({ repo, commit }: HubFile): Promise<void> {
  const refs = join(repoFolder(repo), "refs");
  await mkdir(refs, { recursive: true });
  await writeFile(join(refs, REVISION), commit);
}
