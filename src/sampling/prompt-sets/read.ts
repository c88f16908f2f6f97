/** Prompt sets in the forms they are published in (Node only): what is drawn, with which seeds, under which names. */
import { stat } from "node:fs/promises";
import { OptionError } from "../../errors.js";
import type { PromptSet } from "../task.js";
import { tryJson } from "./check.js";
import { isCoco, parseCoco } from "./coco.js";
import { readDpg } from "./dpg.js";
import type { PromptEntry } from "./entry.js";
import { isGenEval, parseGenEval } from "./geneval.js";
import { parseJsonl } from "./jsonl.js";
import { isParti, parseParti } from "./parti.js";
import { readText, unreadable, type Source } from "./source.js";
import { parseText } from "./text.js";

/** Names of the formats, as `--format` takes them. */
export const PROMPT_FORMATS = ["coco", "text", "jsonl", "geneval", "dpg", "parti"] as const;

/** One of {@link PROMPT_FORMATS}. */
export type PromptFormat = (typeof PROMPT_FORMATS)[number];

/** How a set is read. */
export interface PromptSetOptions {
  /** Default: recognised by content. */
  readonly format?: PromptFormat | undefined;
  /** Only the first prompts; at least 1. Default: all. */
  readonly limit?: number | undefined;
}

/** Prompts of the largest sets by a factor of 30. */
const MAX_PROMPTS = 2 ** 20;

/** All formats but DPG-Bench, which is a folder. */
const PARSERS: Readonly<Record<Exclude<PromptFormat, "dpg">, (source: Source) => PromptEntry[]>> = {
  coco: parseCoco,
  text: parseText,
  jsonl: parseJsonl,
  geneval: parseGenEval,
  parti: parseParti,
};

/**
 * Reads a prompt set: COCO's caption annotations, plain text, JSON lines, GenEval's metadata, DPG-Bench's folder, or
 * PartiPrompts' table. The same content gives the same tasks.
 *
 * @throws OptionError naming file, line and what is wrong, where the set cannot be read or holds no prompt
 */
export async function readPromptSet(path: string, options: PromptSetOptions = {}): Promise<PromptSet> {
  const entries = await readEntries(path, options);
  const pictures = entries.flatMap(({ prompt, pictures }) => pictures.map((picture) => ({ prompt, ...picture })));
  const beside = entries.flatMap(({ beside }) => (beside ? [[beside.file, beside.text] as const] : []));
  return { tasks: pictures.map((picture, index) => ({ index, ...picture })), files: new Map(beside) };
}

/** The prompts of a set, each of them once; errors as of {@link readPromptSet}. */
export async function readPrompts(path: string, options: PromptSetOptions = {}): Promise<string[]> {
  return (await readEntries(path, options)).map(({ prompt }) => prompt);
}

async function readEntries(path: string, { format, limit }: PromptSetOptions): Promise<PromptEntry[]> {
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) {
    throw new OptionError(`limit ${limit}: must be a whole number from 1 up`);
  }
  const name = `--prompts ${path}`;
  const entries = await parse(path, name, format);
  if (entries.length === 0) throw new OptionError(`${name}: holds 0 prompts, at least 1 is needed`);
  if (entries.length > MAX_PROMPTS) {
    throw new OptionError(`${name}: holds ${entries.length} prompts, more than ${MAX_PROMPTS}`);
  }
  return entries.slice(0, limit);
}

async function parse(path: string, name: string, format: PromptFormat | undefined): Promise<PromptEntry[]> {
  const folder = await isFolder(path, name);
  if (folder && (format ?? "dpg") !== "dpg") throw new OptionError(`${name}: a folder, which ${format} is not`);
  if (folder) return readDpg(path, name);
  if (format === "dpg") throw new OptionError(`${name}: a file; dpg is a folder`);
  const text = await readText(path, name);
  return PARSERS[format ?? recognise(text, name)]({ name, text });
}

async function isFolder(path: string, name: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw unreadable(name, error);
  }
}

/** The format that a file's beginning shows; what looks neither like JSON nor like a table is plain text. */
function recognise(text: string, name: string): Exclude<PromptFormat, "dpg"> {
  const [first = ""] = /\S.*/.exec(text) ?? [];
  if (!/^[{[]/.test(first)) return isParti(text) ? "parti" : "text";
  const value = tryJson(first, name) ?? tryJson(text, name);
  if (isCoco(value)) return "coco";
  if (isGenEval(value)) return "geneval";
  if (Array.isArray(value)) throw new OptionError(`${name}: a JSON list; give one object a line`);
  if (value !== undefined) return "jsonl";
  // A prompt may well begin "[close-up]"; what begins with a brace is much rather a damaged file.
  if (first.startsWith("[")) return "text";
  throw new OptionError(`${name}: begins as JSON does but is not; the format text takes its lines as they are`);
}
