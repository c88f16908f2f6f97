import { execFileSync } from "node:child_process";
import { mkdir, readdir, readlink, realpath, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { readRegularFile, readRegularText } from "./read-file.js";

describe("a file's bytes and text", () => {
  it("are read whole, through a link as well, and of an empty file none", () =>
    inTemporaryFolder(async (folder) => {
      const at = (name: string): string => join(folder, name);
      await writeFile(at("text"), "naïve 🦊\n".repeat(10_000));
      await symlink("text", at("link"));
      await writeFile(at("empty"), "");
      expect(await readRegularText(at("text"))).toBe("naïve 🦊\n".repeat(10_000));
      expect((await readRegularFile(at("link"))).equals(await readRegularFile(at("text")))).toBe(true);
      expect(await readRegularText(at("empty"))).toBe("");
    }));

  // Waits for no writer: a test that hangs here fails by its time.
  it.each([
    ["a pipe", (path: string) => execFileSync("mkfifo", [path])],
    ["a folder", (path: string) => mkdir(path)],
    ["a device", (path: string) => symlink("/dev/zero", path)],
  ])("are refused of %s, which is not left open", (_, make) =>
    inTemporaryFolder(async (folder) => {
      const path = join(folder, "file");
      await make(path);
      await expect(readRegularText(path)).rejects.toMatchObject({ code: "not a regular file" });
      const numbers = await readdir("/proc/self/fd").catch(() => []);
      const open = numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => "closed"));
      expect(await Promise.all(open)).not.toContain(await realpath(path));
    }),
  );

  it("are refused in the system's words where there is no file", async () => {
    await expect(readRegularText("/nowhere/at/all")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
