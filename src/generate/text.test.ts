import { describe, expect, it } from "vitest";
import { withPositivePrompt } from "./text.js";

const FACES = ". very smooth faces, good looking faces, face to the camera, perfect facial features";

describe("withPositivePrompt", () => {
  // The published list, in full.
  it.each(
    (
      "man woman men women boy girl child person human adult teenager employee employer worker mother father sister " +
      "brother grandmother grandfather son daughter"
    ).split(" "),
  )("asks for faces where a prompt says %s, within a word too", (word) => {
    expect(withPositivePrompt(word)).toBe(word + FACES);
    expect(withPositivePrompt(`one x${word}x.`)).toBe(`one x${word}x.${FACES}`);
  });

  it("asks once, however many people there are", () => {
    expect(withPositivePrompt("a man and a woman")).toBe(`a man and a woman${FACES}`);
  });

  it.each(["", "a red fox in the snow", "A MAN", "Woma n"])("leaves %j as it is", (prompt) => {
    expect(withPositivePrompt(prompt)).toBe(prompt);
  });
});
