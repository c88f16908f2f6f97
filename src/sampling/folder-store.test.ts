import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { SamplingError } from "../errors.js";
import { FolderStore } from "./folder-store.js";
import { isAbandoned, isPart, partName } from "./part-files.js";
import { storedHash } from "./store.js";

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe("FolderStore", () => {
  it("puts, gets, lists and removes files in folders that need not be there", () =>
    inTemporaryFolder(async (parent) => {
      const store = new FolderStore(join(parent, "new"));
      expect(await store.list()).toEqual([]);
      expect(await store.get("a/b.png")).toBeUndefined();
      expect(await store.head("a/b.png")).toBeUndefined();
      expect(await storedHash(store, "a/b.png")).toBeUndefined();
      await store.put("a/b.png", bytes("one"));
      await store.put("a/b.png", bytes("three"));
      await store.append("records/x.jsonl", "1\n");
      await store.append("records/x.jsonl", "2\n");
      expect(Buffer.from((await store.get("a/b.png"))!).toString()).toBe("three");
      expect(await store.head("a/b.png")).toEqual({ path: "a/b.png", size: 5 });
      expect(await store.head("a")).toBeUndefined();
      // SHA-256 of "three", by coreutils.
      expect(await storedHash(store, "a/b.png")).toBe(
        "8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f",
      );
      const paths = async (prefix?: string): Promise<string[]> => (await store.list(prefix)).map(({ path }) => path);
      expect((await paths()).sort()).toEqual(["a/b.png", "records/x.jsonl"]);
      expect(await paths("records/")).toEqual(["records/x.jsonl"]);
      expect(await readFile(join(parent, "new/records/x.jsonl"), "utf8")).toBe("1\n2\n");
      await store.remove("a/b.png");
      await store.remove("a/b.png");
      expect(await paths()).toEqual(["records/x.jsonl"]);
    }));

  it("creates a file for one of many at once, and leaves nothing else behind", () =>
    inTemporaryFolder(async (folder) => {
      const writers = Array.from({ length: 20 }, (_, i) => `writer ${i}`);
      const made = await Promise.all(writers.map((text) => new FolderStore(folder).create("m", bytes(text))));
      expect(made.filter(Boolean)).toEqual([true]);
      expect(await readdir(folder)).toEqual(["m"]);
      expect(await readFile(join(folder, "m"), "utf8")).toBe(writers[made.indexOf(true)]);
    }));

  it("says in one line what the system refuses, and leaves no temporary file", () =>
    inTemporaryFolder(async (folder) => {
      const store = new FolderStore(folder);
      await mkdir(join(folder, "taken.png/x"), { recursive: true });
      await writeFile(join(folder, "file"), "");
      await expect(store.put("taken.png", bytes("x"))).rejects.toThrow(
        new SamplingError(`${join(folder, "taken.png")}: cannot be written (EISDIR)`),
      );
      await expect(store.put("file/a.png", bytes("x"))).rejects.toThrow(SamplingError);
      expect((await readdir(folder)).sort()).toEqual(["file", "taken.png"]);
    }));
});

describe("sweeping", () => {
  it("removes temporary files of dead processes here, and of others once they are old, and nothing else", () =>
    inTemporaryFolder(async (folder) => {
      const mine = partName();
      const [, host] = /^\.scalekv-(\w+)-/.exec(mine)!;
      const other = host === "00000000" ? "11111111" : "00000000";
      // A process that has just ended is dead for sure; the one that started the tests is not.
      const { pid: dead } = spawnSync(process.execPath, ["--version"]);
      const names = {
        mine,
        dead: mine.replace(`-${process.pid}-`, `-${dead}-`),
        alive: mine.replace(`-${process.pid}-`, `-${process.ppid}-`),
        old: mine.replace(host!, other),
        young: mine.replace(host!, other).replace(/\w{8}\.part$/, "abcdef01.part"),
        foreign: ".00001.png.part",
      };
      await mkdir(join(folder, "deep"));
      for (const name of Object.values(names)) await writeFile(join(folder, "deep", name), "");
      const lastWeek = new Date(Date.now() - 7 * 24 * 3600 * 1000);
      await utimes(join(folder, "deep", names.old), lastWeek, lastWeek);
      await new FolderStore(folder).sweep();
      const left = await readdir(join(folder, "deep"));
      expect(left.sort()).toEqual([names.alive, names.young, names.foreign].sort());
      expect([isPart(names.foreign), await isAbandoned(folder, names.foreign)]).toEqual([false, false]);
    }));
});
