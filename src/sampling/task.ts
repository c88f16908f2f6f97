/** What a sampling run draws: the unit of its work, its records and its resuming. */

/** One picture file to draw. Several seeds are drawn as one grid, row by row (DPG-Bench wants 2 x 2). */
export interface Task {
  /** The task's place in its list, from 0. */
  readonly index: number;
  readonly prompt: string;
  /** One a picture of the grid; each from 0 to 2^32 − 1. */
  readonly seeds: readonly number[];
  /** Relative to the run's folder, with `/` between its parts, ending in `.png` or `.jpg`. */
  readonly file: string;
}

/** A list of tasks, and what evaluators want beside the pictures, e.g. GenEval's metadata.jsonl: relative path → text. */
export interface PromptSet {
  readonly tasks: readonly Task[];
  readonly files: ReadonlyMap<string, string>;
}
