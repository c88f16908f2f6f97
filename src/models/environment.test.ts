import { homedir } from "node:os";
import { expect, it, vi } from "vitest";
import { OptionError } from "../errors.js";
import { userCache, variable } from "./environment.js";

vi.mock("node:os", { spy: true });

it("takes an empty variable for one that is not set", () => {
  expect([variable("A", { A: "" }), variable("A", {}), variable("A", { A: "a" })]).toEqual([undefined, undefined, "a"]);
});

it("lies in XDG_CACHE_HOME, or in the user's home", () => {
  vi.mocked(homedir).mockReturnValueOnce("/h");
  expect(userCache("OWN", {})).toBe("/h/.cache");
  expect(userCache("OWN", { XDG_CACHE_HOME: "/x" })).toBe("/x");
});

const refuse = (): string => {
  throw new Error("uv_os_homedir");
};

it.each([
  ["the system knows no home of", refuse],
  ["has an empty HOME", () => ""],
])("says in one line what a user that %s can do", (_, answer) => {
  vi.mocked(homedir).mockImplementationOnce(answer);
  expect(() => userCache("OWN", {})).toThrow(
    new OptionError("HOME: names no folder, and this user has no home; set it, XDG_CACHE_HOME or OWN"),
  );
});
