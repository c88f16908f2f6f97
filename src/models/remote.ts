/**
 * A model by the addresses of its parts. A server's folder cannot be searched, so every part is named; what is fetched
 * to begin with are the checkpoints' directories and the text encoder's small files.
 */
import { openCheckpointAt } from "../checkpoint/open-http.js";
import { fetchText, isMissing } from "../checkpoint/http-source.js";
import { ModelError, OptionError } from "../errors.js";
import {
  checkTextEncoder,
  checkTextWidth,
  checkTransformer,
  joinParts,
  type JsonFolder,
  type ModelFiles,
  type TextEncoderFiles,
} from "./assemble.js";
import { Shelf } from "./shelf.js";

/** Absolute addresses of the parts beside the transformer. */
export interface RemoteParts {
  /** The autoencoder's file. */
  readonly vae?: string | undefined;
  /** The text encoder's folder, or its weights. */
  readonly textEncoder?: string | undefined;
}

/**
 * Opens and checks the model whose transformer (a file, or the index of its shards) lies at this absolute address.
 *
 * Errors: {@link OptionError} for a part without an address, `DownloadError` for one that cannot be fetched,
 * `CheckpointError` for a damaged one, {@link ModelError} for a wrong one.
 */
export async function openModelAt(transformer: string, { vae, textEncoder }: RemoteParts): Promise<ModelFiles> {
  if (vae === undefined || textEncoder === undefined) {
    const missing = vae === undefined ? "vae" : "textEncoder";
    throw new OptionError(`${transformer}: option ${missing} must give an address, as a server's folder has no list`);
  }
  const shelf = new Shelf(openCheckpointAt);
  try {
    const checked = checkTransformer(await shelf.require(transformer, "transformer"));
    const parts = joinParts(checked, await shelf.require(vae, "vae"));
    const text = await textEncoderAt(textEncoder, shelf);
    checkTextWidth(text, parts.infinity.config);
    return { name: transformer, ...parts, textEncoder: text, close: () => shelf.close() };
  } catch (error) {
    await shelf.close();
    throw error;
  }
}

const WEIGHTS = /\.(safetensors|bin|pth|pt|index\.json)$/;

/** Weights whose address is given, or those of Hugging Face's name in a folder, whole or in shards. */
async function textEncoderAt(address: string, shelf: Shelf): Promise<TextEncoderFiles> {
  const named = WEIGHTS.test(new URL(address).pathname);
  const folder = named || address.endsWith("/") ? new URL(".", address).href : `${address}/`;
  const weights = named ? address : await weightsIn(folder);
  return checkTextEncoder(await shelf.require(weights, "text encoder"), jsonFolder(folder));
}

async function weightsIn(folder: string): Promise<string> {
  const whole = `${folder}model.safetensors`;
  return (await isMissing(whole)) ? `${whole}.index.json` : whole;
}

/** A folder on a server; a file of it that is not JSON is a {@link ModelError}. `folder` ends in `/`. */
function jsonFolder(folder: string): JsonFolder {
  const readJson = async (name: string): Promise<unknown> => {
    const address = folder + name;
    const text = await fetchText(address);
    try {
      return JSON.parse(text);
    } catch {
      throw new ModelError(`${address}: is not JSON`);
    }
  };
  return { folder: folder.replace(/\/$/, ""), readJson };
}
