import { describe, expect, it } from "vitest";
import { OptionError } from "../errors.js";
import { promptsOf } from "./followed-pairs.js";

/** So many prompts, whose ids are numbers behind `prefix`. */
function prompts(count: number, prefix = "prompt "): { id: string }[] {
  return Array.from({ length: count }, (_, i) => ({ id: prefix + String(i) }));
}

describe("promptsOf", () => {
  it("takes as many pictures as prompts in the order of their names", () => {
    expect(promptsOf(["1", "10", "2"], prompts(3), "")).toEqual([0, 2, 1]);
    expect(promptsOf(["b", "a"], prompts(2), "")).toEqual([1, 0]);
  });

  it("takes fewer pictures by the numbers that they are named", () => {
    expect(promptsOf(["00004", "00002"], prompts(216), "")).toEqual([4, 2]);
  });

  it("takes pictures by the ids that they are named, all of them or some", () => {
    expect(promptsOf(["two-1", "two-0", "two-2"], prompts(3, "two-"), "")).toEqual([1, 0, 2]);
    expect(promptsOf(["two-2"], prompts(3, "two-"), "")).toEqual([2]);
    expect(() => promptsOf(["two-2", "7"], prompts(3, "two-"), "--prompts p")).toThrow(
      new OptionError(`--prompts p: picture "two-2" has a prompt's id for its name, "7" has not`),
    );
  });

  it("refuses names that do not tell", () => {
    for (const wrong of ["3", "one", "1.5", "-1"])
      expect(() => promptsOf(["00000", wrong], prompts(3), "--prompts p")).toThrow(
        new OptionError(
          `--prompts p: 3 prompts for 2 pictures, and "${wrong}" is neither a prompt's id nor a number from 0 to 2`,
        ),
      );
    expect(() => promptsOf(["0", "1", "2"], prompts(2), "--prompts p")).toThrow(
      'and "2" is neither a prompt\'s id nor a number from 0 to 1',
    );
  });
});
