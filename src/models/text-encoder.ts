/** A T5 encoder's folder on disk: `config.json`, tokenizer and weights, as Hugging Face lays them out (Node only). */
import { dirname, join } from "node:path";
import { openCheckpoint } from "../checkpoint/open.js";
import { ModelError } from "../errors.js";
import { readRegularText } from "../files/read-file.js";
import { systemCode } from "../files/system-error.js";
import { checkTextEncoder, type JsonFolder, type TextEncoderFiles } from "./assemble.js";
import { lookAt } from "./paths.js";
import { searchFolder } from "./search.js";
import { Shelf, type Candidate } from "./shelf.js";

/** The encoder in a folder by itself, and how to close it. A folder without one is a {@link ModelError}. */
export async function openTextEncoder(folder: string): Promise<TextEncoderFiles & { close(): Promise<void> }> {
  const shelf = new Shelf(openCheckpoint);
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
  if (!found.folder) return textEncoderAround(await shelf.require(path, "text encoder"));
  const { candidates, others } = await searchFolder(path, shelf);
  const [encoder, ...more] = candidates.filter(({ part }) => part === "text encoder");
  if (!encoder) throw new ModelError([`${path}: holds no T5 text encoder`, ...others].join("; "));
  if (more.length > 0) {
    throw new ModelError(`${path}: holds several text encoders: ${[encoder, ...more].map((e) => e.path).join(", ")}`);
  }
  return textEncoderAround(encoder);
}

/** Checks an encoder's weights against the configuration beside them. */
export function textEncoderAround(weights: Candidate): Promise<TextEncoderFiles> {
  return checkTextEncoder(weights, jsonFolder(dirname(weights.path)));
}

/** A folder on disk; a file of it that cannot be read as JSON is a {@link ModelError}. */
export function jsonFolder(folder: string): JsonFolder {
  return { folder, readJson: (name) => readJson(join(folder, name)) };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readRegularText(file));
  } catch (error) {
    const reason = error instanceof SyntaxError ? "is not JSON" : `cannot be read (${systemCode(error)})`;
    throw new ModelError(`${file}: ${reason}`);
  }
}
