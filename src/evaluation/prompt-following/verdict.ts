/** Whether a picture shows what its prompt asks for. */
import type { Asked, Aspect } from "./asked.js";
import type { Reading } from "./reader.js";

/** What came of a check. */
export interface Verdict {
  /** Nothing is missing, and the picture is clear. */
  readonly shown: boolean;
  /** What was asked for and is not there; of an unclear picture, not in what it is nearest to. */
  readonly missing: readonly Aspect[];
}

/** Whether one thing that is asked for is there. */
const TESTS: Readonly<Record<Aspect, (asked: Asked, reading: Reading) => boolean>> = {
  // Every object asked for, and no other; how many of each is another question.
  names: (asked, { objects }) => sameSet(new Set(asked.names), new Set(objects.map(({ name }) => name))),
  count: (asked, { objects }) => objects.length === asked.count * asked.names.length,
  relation: (asked, { objects, relation }) => relation === asked.relation && objects[0]?.name === asked.names[0],
  style: (asked, { objects }) => objects.every(({ style }) => style === asked.style),
  background: (asked, { background }) => background?.join() === asked.background?.join(),
};

/** Compares what is asked, as far as it is to be checked, with what is seen. */
export function judge(asked: Asked, reading: Reading): Verdict {
  const missing = asked.check.filter((aspect) => !TESTS[aspect](asked, reading));
  return { shown: reading.clear && missing.length === 0, missing };
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((value) => b.has(value));
}
