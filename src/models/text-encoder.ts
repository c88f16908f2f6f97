/** A T5 encoder's folder: `config.json`, tokenizer and weights, as Hugging Face lays them out. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ModelError } from "../errors.js";
import type { Tensors } from "./manifest.js";
import type { Candidate } from "./shelf.js";
import { lookAt } from "./paths.js";
import { Shelf } from "./shelf.js";
import type { T5Config } from "./t5/config.js";
import { parseT5Config } from "./t5/config-file.js";
import { checkT5 } from "./t5/tensors.js";

/** An opened text encoder. */
export interface TextEncoderFiles {
  /** Where `config.json` and the tokenizer's files lie. */
  readonly folder: string;
  /** The checkpoint: a file, or the folder of its shards. */
  readonly path: string;
  readonly tensors: Tensors;
  readonly config: T5Config;
}

/** The encoder in a folder by itself, and how to close it. A folder without one is a {@link ModelError}. */
export async function openTextEncoder(folder: string): Promise<TextEncoderFiles & { close(): Promise<void> }> {
  const shelf = new Shelf();
  try {
    const files = await textEncoderIn(folder, shelf);
    return { ...files, close: () => shelf.close() };
  } catch (error) {
    await shelf.close();
    throw error;
  }
}

/** The encoder in a folder (or beside a file) the caller named. */
export async function textEncoderIn(path: string, shelf: Shelf): Promise<TextEncoderFiles> {
  const found = await lookAt(path);
  if (!found) throw new ModelError(`${path}: no such folder`);
  if (!found.folder) return checkTextEncoder(await shelf.require(path, "text encoder"));
  const { candidates, others } = await shelf.search(path);
  const [encoder, ...more] = candidates.filter(({ part }) => part === "text encoder");
  if (!encoder) throw new ModelError([`${path}: holds no T5 text encoder`, ...others].join("; "));
  if (more.length > 0) {
    throw new ModelError(`${path}: holds several text encoders: ${[encoder, ...more].map((e) => e.path).join(", ")}`);
  }
  return checkTextEncoder(encoder);
}

/** Reads the configuration beside the weights and checks one against the other. */
export async function checkTextEncoder({ path, tensors }: Candidate): Promise<TextEncoderFiles> {
  const folder = (await lookAt(path))?.folder ? path : dirname(path);
  const config = await readConfig(join(folder, "config.json"));
  checkT5(tensors, config, path);
  return { folder, path, tensors, config };
}

async function readConfig(file: string): Promise<T5Config> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    const reason = error instanceof SyntaxError ? "is not JSON" : "cannot be read";
    throw new ModelError(`${file}: ${reason}; the text encoder's sizes stand there`);
  }
  return parseT5Config(json, file);
}
