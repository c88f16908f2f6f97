import { getHFHubCachePath } from "@huggingface/hub";
import { expect, it, vi } from "vitest";
import { OptionError } from "../errors.js";
import { repoFolder } from "./hub-cache.js";

vi.mock("@huggingface/hub", { spy: true });

it("lies where Hugging Face's tools look for it", () => {
  vi.mocked(getHFHubCachePath).mockReturnValueOnce("/hub");
  expect(repoFolder("owner/name")).toBe("/hub/models--owner--name");
});

it("says in one line what a user without a home can do", () => {
  vi.mocked(getHFHubCachePath).mockImplementationOnce(() => {
    throw new Error("uv_os_homedir");
  });
  expect(() => repoFolder("owner/name")).toThrow(
    new OptionError("HOME: names no folder, and this user has no home; set it, XDG_CACHE_HOME or HF_HOME"),
  );
});
