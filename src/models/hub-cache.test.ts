import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { getHFHubCachePath } from "@huggingface/hub";
import { expect, it, vi } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { ModelError, OptionError } from "../errors.js";
import { repoFolder, snapshotFolder } from "./hub-cache.js";

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

it("finds no snapshot where nothing was downloaded, and says in one line that what is there cannot be read", () =>
  inTemporaryFolder(async (folder) => {
    vi.mocked(getHFHubCachePath).mockReturnValue(folder);
    expect(await snapshotFolder("owner/name")).toBeUndefined();
    const branch = join(folder, "models--owner--name", "refs", "main");
    await mkdir(dirname(branch), { recursive: true });
    await writeFile(branch, "c0ffee\n");
    expect(await snapshotFolder("owner/name")).toBe(join(folder, "models--owner--name", "snapshots", "c0ffee"));
    await rm(branch);
    await mkdir(branch);
    await expect(snapshotFolder("owner/name")).rejects.toThrow(
      new ModelError(`${branch}: cannot be read (not a regular file)`),
    );
  }));
