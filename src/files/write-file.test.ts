import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { writeInOneStep } from "./write-file.js";

describe("writing in one step", () => {
  it("replaces a file whose name is as long as names can be", () =>
    inTemporaryFolder(async (folder) => {
      const name = "n".repeat(255);
      await writeFile(join(folder, name), "old");
      await writeInOneStep(join(folder, name), "new");
      expect(await readFile(join(folder, name), "utf8")).toBe("new");
      await writeInOneStep(join(folder, name), Uint8Array.of(1, 2));
      expect([...(await readFile(join(folder, name)))]).toEqual([1, 2]);
      expect(await readdir(folder)).toEqual([name]);
    }));

  it("leaves what was there, and nothing else, where it fails", () =>
    inTemporaryFolder(async (folder) => {
      await mkdir(join(folder, "taken", "inside"), { recursive: true });
      await expect(writeInOneStep(join(folder, "taken"), "new")).rejects.toMatchObject({ code: "EISDIR" });
      await expect(writeInOneStep(join(folder, "none", "file"), "new")).rejects.toMatchObject({ code: "ENOENT" });
      expect(await readdir(folder, { recursive: true })).toEqual(["taken", join("taken", "inside")]);
    }));

  it("gives readers the old or the new text, never a part", () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, "file");
      const texts = ["a", "b"].map((letter) => letter.repeat(2 ** 20));
      await writeInOneStep(file, texts[0]!);
      const writing = (async () => {
        for (let i = 0; i < 20; i++) await writeInOneStep(file, texts[i % 2]!);
      })();
      for (let i = 0; i < 20; i++) expect(texts).toContain(await readFile(file, "utf8"));
      await writing;
    }));
});
