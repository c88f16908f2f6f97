/**
 * `tasks.jsonl`: what a run draws, one task a line, in order. The manifest holds the hash of its bytes, so the same tasks
 * must give the same text, and a text that was changed by hand is noticed.
 */
import { z } from "zod";
import { OptionError, SamplingError } from "../errors.js";
import type { Task } from "./task.js";

/** Seeds are 32-bit keys of the counter-based generator. */
const SEEDS = 2 ** 32;

/** A path that stays in the folder and hits none of the run's own files. A run's folder may come from anybody. */
export const SAFE_PATH = z
  .string()
  .max(800)
  .refine(
    (path) => path.split("/").every((part) => part !== "" && !part.startsWith(".")) && !/[\\:\p{Cc}]/u.test(path),
    {
      message: "not a plain relative path",
    },
  );

const TASK: z.ZodType<Task> = z.strictObject({
  index: z.int().nonnegative(),
  prompt: z.string(),
  seeds: z.array(z.int().nonnegative().lt(SEEDS)).min(1),
  file: SAFE_PATH.regex(/\.(png|jpg)$/),
});

/** The list as text, ending in a line break. */
export function formatTasks(tasks: readonly Task[]): string {
  return tasks.map(({ index, prompt, seeds, file }) => `${JSON.stringify({ index, prompt, seeds, file })}\n`).join("");
}

/**
 * Reads a list; `name` is shown in errors.
 *
 * @throws SamplingError for a line that is no task, one out of order, and a file that two tasks would draw
 */
export function parseTasks(text: string, name: string): Task[] {
  const files = new Set<string>();
  return text
    .split("\n")
    .slice(0, -1)
    .map((line, index) => {
      const task = parseTask(line);
      if (task?.index !== index || files.has(task.file)) throw new SamplingError(`${name}: line ${index + 1}: damaged`);
      files.add(task.file);
      return task;
    });
}

function parseTask(line: string): Task | undefined {
  try {
    return TASK.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** The same tasks with `offset` added to every seed; past the last seed comes the first. */
export function shiftSeeds(tasks: readonly Task[], offset: number): Task[] {
  return tasks.map((task) => ({ ...task, seeds: task.seeds.map((seed) => (seed + offset) % SEEDS) }));
}

/** A part of a run: of `count` shards the one with this number, from 0. */
export interface Shard {
  readonly number: number;
  readonly count: number;
}

/** The tasks of a shard, index ≡ number (mod count), so that slow and quick ones mix. */
export function tasksOf(tasks: readonly Task[], { number, count }: Shard): Task[] {
  return tasks.filter(({ index }) => index % count === number);
}

/** Reads `2/8`. @throws OptionError for anything else, and for a number that is not below the count */
export function parseShard(text: string): Shard {
  const [, number = "", count = ""] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  const shard = { number: Number(number), count: Number(count) };
  if (number !== "" && shard.number < shard.count) return shard;
  throw new OptionError(`--shard ${text}: not NUMBER/COUNT with a number from 0 to COUNT - 1, such as 0/4`);
}
