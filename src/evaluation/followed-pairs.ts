/** How well the pictures of two folders follow their prompts: each folder's share, and how far the second is from the first. */
import { OptionError } from "../errors.js";
import type { PicturePair } from "../metrics/pairs.js";
import type { Asked } from "./prompt-following/asked.js";
import type { Checker } from "./prompt-following/checker.js";
import { tally, type CategoryTally, type Judged } from "./prompt-following/tally.js";
import { pairedDifference, type Difference } from "./proportion.js";

/** A category of prompts, or all of them. */
export interface FollowedCategory {
  readonly category: string;
  readonly a: Share;
  readonly b: Share;
}

type Share = Omit<CategoryTally, "category">;

/** What came of the checks; the difference is that of all pairs, the second folder's share less the first's. */
export interface FollowedPairs extends Difference {
  /** In the order they first appear, then all of them. */
  readonly categories: readonly FollowedCategory[];
}

/** Checks pairs as they come. */
export class PairChecker {
  private readonly judged: { readonly a: Judged[]; readonly b: Judged[] } = { a: [], b: [] };

  constructor(
    private readonly checker: Checker,
    private readonly asked: readonly Asked[],
  ) {}

  /** @throws OptionError for pictures that are not square or too small, naming the first of the pair */
  add({ a, pictures }: PicturePair, prompt: number): void {
    const asked = this.asked[prompt]!;
    try {
      for (const side of ["a", "b"] as const)
        this.judged[side].push({ asked, ...this.checker.check(pictures[side], asked) });
    } catch (error) {
      if (error instanceof OptionError) throw new OptionError(`${a}: ${error.message}`, { cause: error });
      throw error;
    }
  }

  /** Of at least one pair. */
  result(): FollowedPairs {
    const { a, b } = this.judged;
    const shown = (judged: readonly Judged[]): boolean[] => judged.map((one) => one.shown);
    const second = tally(b).map(shareOf);
    const categories = tally(a).map((first, i) => ({ category: first.category, a: shareOf(first), b: second[i]! }));
    return { categories, ...pairedDifference(shown(a), shown(b)) };
  }
}

function shareOf({ right, of, share, low, high, unclear }: CategoryTally): Share {
  return { right, of, share, low, high, unclear };
}

/**
 * Which prompt each picture was drawn from, by the pictures' names without endings: the prompt's id, as `sample` names them;
 * or the prompt's number, from 0; or anything, where there are as many pictures as prompts, which then have the same order,
 * numbers counting as numbers (2 comes before 10).
 *
 * @throws OptionError, beginning with `where`, for names that do not tell
 */
export function promptsOf(names: readonly string[], prompts: readonly Pick<Asked, "id">[], where: string): number[] {
  const ids = new Map(prompts.map(({ id }, i) => [id, i]));
  const [first] = names.filter((name) => ids.has(name));
  if (first !== undefined) {
    const stranger = names.find((name) => !ids.has(name));
    if (stranger === undefined) return names.map((name) => ids.get(name)!);
    throw new OptionError(`${where}: picture "${first}" has a prompt's id for its name, "${stranger}" has not`);
  }
  if (names.length === prompts.length) {
    const { compare } = new Intl.Collator("en", { numeric: true });
    const sorted = new Map(names.toSorted(compare).map((name, i) => [name, i]));
    return names.map((name) => sorted.get(name)!);
  }
  const wrong = names.find((name) => !/^\d+$/.test(name) || Number(name) >= prompts.length);
  if (wrong === undefined) return names.map(Number);
  throw new OptionError(
    `${where}: ${prompts.length} prompts for ${names.length} pictures, ` +
      `and "${wrong}" is neither a prompt's id nor a number from 0 to ${prompts.length - 1}`,
  );
}
