/** A published model from the Hugging Face Hub into the cache that all of Hugging Face's tools share. */
import { link, rm, statfs, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { DownloadError } from "../errors.js";
import { makeFolders } from "../files/make-folders.js";
import { systemCode } from "../files/system-error.js";
import { FLAN_T5_XL, FLAN_T5_XL_NAME, publishedModel, publishedNames, type HubFiles } from "./catalogue.js";
import { repoFolder, REVISION } from "./hub-cache.js";
import { contentAddress, hubAccess, listHubFiles, type HubFile } from "./hub-files.js";
import { lookAt } from "./paths.js";
import { partialPath, transfer, type TransferOptions } from "./transfer.js";

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
  const { access = hubAccess(), signal } = options;
  const wanted = wantedFiles(name);
  const files: HubFile[] = [];
  for (const want of wanted) files.push(...(await listHubFiles(want, access, signal)));
  try {
    return await fetchAll(files, { ...options, access });
  } catch (error) {
    throw writingProblem(error, name);
  }
}

/** What the system says against a file, as a {@link DownloadError}; anything else passes unchanged. */
export function writingProblem(error: unknown, name: string): unknown {
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined) return error;
  return new DownloadError(`${path ?? name}: cannot be written (${code ?? syscall})`, { cause: error });
}

/** Refuses what {@link downloadModel} knows nothing of, before anything is downloaded. */
export function checkModelName(name: string): void {
  wantedFiles(name);
}

/** What a name stands for: a model with its text encoder, or the text encoder alone. */
function wantedFiles(name: string): HubFiles[] {
  if (name === FLAN_T5_XL_NAME) return [FLAN_T5_XL];
  const model = publishedModel(name);
  if (model) return [{ repo: model.repo, files: [model.transformer, model.vae] }, model.textEncoder];
  throw new DownloadError(`${name}: no published model has this name (${publishedNames()}, ${FLAN_T5_XL_NAME})`);
}

async function fetchAll(
  files: readonly HubFile[],
  options: DownloadOptions & Pick<TransferOptions, "access">,
): Promise<Downloaded> {
  await requireSpace(files);
  const total = sum(files);
  let received = 0;
  for (const file of files) {
    const before = received;
    const onBytes = (bytes: number) => options.onProgress?.({ file: file.path, received: before + bytes, total });
    await fetchInto(file, { ...options, onBytes });
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

/** Refuses a download that would fill the disk before it ends. */
async function requireSpace(files: readonly HubFile[]): Promise<void> {
  const [first] = files;
  if (!first) return;
  let missing = 0;
  for (const file of files) missing += await missingBytes(file);
  const folder = dirname(blobPath(first));
  await makeFolders(folder);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (missing <= free) return;
  throw new DownloadError(
    `${folder}: ${gibibytes(missing)} GiB are needed, ${gibibytes(free)} GiB are free; HF_HOME names another place`,
  );
}

/** What of a file is neither here nor begun. */
async function missingBytes(file: HubFile): Promise<number> {
  const blob = blobPath(file);
  if (await lookAt(blob)) return 0;
  const begun = await lookAt(partialPath(blob));
  return Math.max(0, file.size - (begun?.size ?? 0));
}

function gibibytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}

/** Content into `blobs`, and a link to it under its name. */
async function fetchInto(file: HubFile, options: TransferOptions): Promise<void> {
  const blob = blobPath(file);
  await makeFolders(dirname(blob));
  const address = contentAddress(file, options.access);
  if (!(await lookAt(blob))) await transfer({ ...file, address }, blob, options);
  const name = join(repoFolder(file.repo), "snapshots", file.commit, file.path);
  await makeFolders(dirname(name));
  await rm(name, { force: true });
  try {
    await symlink(relative(dirname(name), blob), name);
  } catch (error) {
    // Windows lets only some users make symbolic links; a hard link serves as well.
    if (systemCode(error) !== "EPERM") throw error;
    await link(blob, name);
  }
}

async function writeRef({ repo, commit }: HubFile): Promise<void> {
  const refs = join(repoFolder(repo), "refs");
  await makeFolders(refs);
  await writeFile(join(refs, REVISION), commit);
}
