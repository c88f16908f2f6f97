/** Opens the FID network's published file (Node only). */
import { closeCheckpoint, type Checkpoint } from "../../checkpoint/checkpoint.js";
import { openFile } from "../../checkpoint/file-source.js";
import { openCheckpoint } from "../../checkpoint/open.js";
import { CheckpointError } from "../../errors.js";
import { INCEPTION_FILE } from "../published-files.js";
import type { Tensors } from "../manifest.js";
import { publishedInception } from "./tensors.js";

/** The network's tensors and what closes the file behind them. */
export interface OpenedInception {
  readonly path: string;
  readonly tensors: Tensors;
  readonly close: () => Promise<void>;
}

/**
 * Opens pytorch-fid's file and checks it.
 *
 * @throws CheckpointError for what cannot be read, above all the TorchScript program that clean-fid downloads: its
 *   weights are the same, but only running it would tell which is which. ModelError for another network.
 */
export async function openInception(path: string): Promise<OpenedInception> {
  const checkpoint = await openUnlessProgram(path);
  const close = (): Promise<void> => closeCheckpoint(checkpoint);
  try {
    return { path, tensors: publishedInception(checkpoint.tensors, path), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openUnlessProgram(path: string): Promise<Checkpoint> {
  try {
    return await openCheckpoint(path);
  } catch (error) {
    if (!(error instanceof CheckpointError) || !(await isTorchScript(path))) throw error;
    throw new CheckpointError(
      `${path}: a TorchScript program, which is not executed here; expected ${INCEPTION_FILE.name} with the same weights`,
    );
  }
}

/** Bytes at an archive's end in which its directory names the entries. */
const DIRECTORY_BYTES = 2 ** 20;

/** Whether the archive's directory names code; a checkpoint that cannot be opened at all names nothing. */
async function isTorchScript(path: string): Promise<boolean> {
  const source = await openFile(path).catch(() => undefined);
  if (!source) return false;
  try {
    const length = Math.min(source.size, DIRECTORY_BYTES);
    const names = Buffer.from(await source.read(source.size - length, length)).toString("latin1");
    return /\/code\/__torch__\S*\.py/.test(names);
  } finally {
    await source.close();
  }
}
