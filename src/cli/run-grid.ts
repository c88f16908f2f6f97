/** Which pictures of runs a page shows: the same prompts and seeds across all runs, spread evenly over the prompt set. */
import type { FoundPicture } from "../sampling/pictures.js";
import type { RunOverview } from "../sampling/overview.js";

/** What of a run is looked at here. */
type Drawn = Pick<RunOverview, "pictures">;

/** One prompt's pictures. */
export interface GridRow {
  readonly prompt: string;
  readonly seeds: readonly number[];
  /** One a run; undefined where the run has no such picture, or not yet. */
  readonly cells: readonly (FoundPicture | undefined)[];
}

/**
 * Rows of at most `pictures` pictures in all. Prompts that the most runs have drawn come into question, so that a run
 * that is not done yet, or one of other prompts, leaves as few gaps as can be.
 */
export function chooseRows(runs: readonly Drawn[], pictures: number): GridRow[] {
  const rows = allRows(runs);
  const most = rows.reduce((largest, row) => Math.max(largest, drawn(row)), 0);
  const full = rows.filter((row) => drawn(row) === most);
  const count = Math.min(Math.floor(pictures / runs.length), full.length);
  return Array.from({ length: count }, (_, i) => full[Math.floor((i * full.length) / count)]!);
}

/** All prompts with a picture, in the order of the first run that has them. */
function allRows(runs: readonly Drawn[]): GridRow[] {
  const rows = new Map<string, { cells: (FoundPicture | undefined)[]; first: FoundPicture }>();
  for (const [column, { pictures }] of runs.entries()) {
    for (const picture of pictures) {
      if (picture.state !== "done") continue;
      const key = JSON.stringify([picture.task.prompt, picture.task.seeds]);
      const row = rows.get(key) ?? { cells: runs.map(() => undefined), first: picture };
      row.cells[column] ??= picture;
      rows.set(key, row);
    }
  }
  return [...rows.values()].map(({ cells, first: { task } }) => ({ prompt: task.prompt, seeds: task.seeds, cells }));
}

function drawn({ cells }: GridRow): number {
  return cells.filter(Boolean).length;
}
