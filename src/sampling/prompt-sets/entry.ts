/** What the readers of all formats give: prompts in their order, each with the pictures wanted of it. */
import type { Task } from "../task.js";

/** One prompt and its pictures. */
export interface PromptEntry {
  readonly prompt: string;
  readonly pictures: readonly Picture[];
  /** A text that evaluators want beside the pictures: its path in the run's folder, and its content. */
  readonly beside?: { readonly file: string; readonly text: string };
}

/** One picture file, and what it is drawn with. */
export type Picture = Pick<Task, "seeds" | "file">;

/** One picture, named and seeded by its prompt's place. */
export function numberedEntry(prompt: string, place: number): PromptEntry {
  return { prompt, pictures: [{ seeds: [place], file: numberedPicture(place) }] };
}

/** The names that ScaleKV's scripts give: `0000.png`, …, `9999.png`, `10000.png`. */
export function numberedPicture(place: number): string {
  return `${digits(place, 4)}.png`;
}

/** A number with zeros before it, so that at least `count` digits stand there. */
export function digits(value: number, count: number): string {
  return String(value).padStart(count, "0");
}
