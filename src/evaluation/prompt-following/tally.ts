/** What checks come to: shares of prompts that are followed, by category and in all. */
import { proportion, type Proportion } from "../proportion.js";
import type { Asked } from "./asked.js";
import type { Verdict } from "./verdict.js";

/** A category, or all of them together. */
export interface CategoryTally extends Proportion {
  readonly category: string;
  /** Pictures that are nearest to what was asked, but not near enough to be right. */
  readonly unclear: number;
}

/** The name of the row of all prompts. */
export const ALL = "all";

/** A prompt with what came of its check. */
export interface Judged extends Verdict {
  readonly asked: Pick<Asked, "category">;
}

/** Categories in the order they first appear, then {@link ALL}. */
export function tally(judged: readonly Judged[]): CategoryTally[] {
  const categories = [...new Set(judged.map(({ asked }) => asked.category))];
  const own = categories.map((name) =>
    tallyOne(
      name,
      judged.filter(({ asked }) => asked.category === name),
    ),
  );
  return [...own, tallyOne(ALL, judged)];
}

function tallyOne(category: string, judged: readonly Judged[]): CategoryTally {
  const right = judged.filter(({ shown }) => shown).length;
  const nearest = judged.filter(({ missing }) => missing.length === 0).length;
  return { category, ...proportion(right, judged.length), unclear: nearest - right };
}
