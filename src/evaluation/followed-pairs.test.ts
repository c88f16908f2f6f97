import { describe, expect, it } from "vitest";
import { OptionError } from "../errors.js";
import { promptsOf } from "./followed-pairs.js";

describe("promptsOf", () => {
  it("takes as many pictures as prompts in the order of their names", () => {
    expect(promptsOf(["1", "10", "2"], 3, "")).toEqual([0, 2, 1]);
    expect(promptsOf(["b", "a"], 2, "")).toEqual([1, 0]);
  });

  it("takes fewer pictures by the numbers that they are named", () => {
    expect(promptsOf(["00004", "00002"], 216, "")).toEqual([4, 2]);
  });

  it("refuses names that do not tell", () => {
    for (const wrong of ["3", "one", "1.5", "-1"])
      expect(() => promptsOf(["00000", wrong], 3, "--prompts p")).toThrow(
        new OptionError(`--prompts p: 3 prompts for 2 pictures, and "${wrong}" is no number from 0 to 2`),
      );
    expect(() => promptsOf(["0", "1", "2"], 2, "--prompts p")).toThrow('and "2" is no number from 0 to 1');
  });
});
