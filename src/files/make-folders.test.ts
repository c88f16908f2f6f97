import type * as FileSystem from "node:fs/promises";
import { mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { makeFolders } from "./make-folders.js";

vi.mock("node:fs/promises", { spy: true });

const isFolder = async (path: string): Promise<boolean> => (await stat(path)).isDirectory();

it("makes a folder with those above it, and leaves one that is there", () =>
  inTemporaryFolder(async (folder) => {
    const deep = join(folder, "a", "b", "c");
    // As two processes that begin at once do.
    await Promise.all([makeFolders(deep), makeFolders(deep)]);
    await makeFolders(deep);
    expect(await isFolder(deep)).toBe(true);
    await makeFolders("/");
    await makeFolders(".");
    await symlink(deep, join(folder, "link"));
    await makeFolders(join(folder, "link"));
    await makeFolders(`${folder}/x/../y/`);
    expect(await isFolder(join(folder, "y"))).toBe(true);
  }));

it("rejects with what the system says where a file is in the way", () =>
  inTemporaryFolder(async (folder) => {
    const file = join(folder, "file");
    await writeFile(file, "");
    await expect(makeFolders(file)).rejects.toThrow("EEXIST");
    await expect(makeFolders(join(file, "a", "b"))).rejects.toThrow("ENOTDIR");
    await expect(makeFolders("")).rejects.toThrow("ENOENT");
  }));

it("gives up where the system says that a folder which is there is not", () =>
  inTemporaryFolder(async (folder) => {
    const system = await vi.importActual<typeof FileSystem>("node:fs/promises");
    const nope = join(folder, "nope");
    // As in /proc, which only Linux has.
    vi.mocked(mkdir).mockImplementation(async (path, options) => {
      if (String(path).startsWith(nope)) throw Object.assign(new Error(`ENOENT: ${String(path)}`), { code: "ENOENT" });
      return system.mkdir(path, options);
    });
    await expect(makeFolders(join(nope, "weights"))).rejects.toThrow(`ENOENT: ${nope}`);
    vi.mocked(mkdir).mockImplementation(system.mkdir);
  }));
