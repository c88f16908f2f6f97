import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { WeightsFolder, weightsFolderOptions } from "./weights-folder.js";

vi.mock("node:fs/promises", { spy: true });

const KiB = 2 ** 10;
const page = 4096;
const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

/** Keeps `length` bytes of `value` under a name; tells how often they were made. */
async function kept(store: WeightsFolder, name: string, length: number, value: number): Promise<[string, number]> {
  const make = vi.fn(() => Promise.resolve(bytes(length, value)));
  const { path, offset } = (await store.keep(name, length, make))!;
  const found = await readFile(path);
  expect(found.subarray(offset)).toEqual(Buffer.from(bytes(length, value)));
  return [path, make.mock.calls.length];
}

it("makes weights once, and again for another identity", () =>
  inTemporaryFolder(async (folder) => {
    const [first, again] = [
      new WeightsFolder({ folder, limit: 2 ** 20 }),
      new WeightsFolder({ folder, limit: 2 ** 20 }),
    ];
    const [path, made] = await kept(first, "a", 100, 7);
    expect(made).toBe(1);
    expect(await kept(again, "a", 100, 7)).toEqual([path, 0]);
    const [other, madeToo] = await kept(first, "b", 100, 8);
    expect([other === path, madeToo]).toEqual([false, 1]);
    expect((await stat(path)).size).toBe(page + 100);
    // Nothing else is left behind.
    expect(await readdir(folder)).toHaveLength(2);
  }));

it.each<[string, (path: string) => Promise<void>]>([
  ["too short", (path) => truncate(path, page + 99)],
  ["empty", (path) => truncate(path, 0)],
  ["of another header", async (path) => writeFile(path, bytes(page + 100, 1))],
  ["zero behind its header", async (path) => writeFile(path, (await readFile(path)).fill(0, page))],
])("makes a file that is %s anew", (_, damage) =>
  inTemporaryFolder(async (folder) => {
    const store = new WeightsFolder({ folder, limit: 2 ** 20 });
    const [path] = await kept(store, "a", 100, 7);
    await damage(path);
    expect(await kept(store, "a", 100, 7)).toEqual([path, 1]);
    expect(await kept(store, "a", 100, 7)).toEqual([path, 0]);
  }),
);

it("removes what was not of use for the longest time, and what dead processes left", () =>
  inTemporaryFolder(async (folder) => {
    // Room for three files of 12 KiB with their headers.
    const options = { folder, limit: 3 * (12 * KiB + page) };
    const paths: string[] = [];
    for (const [i, name] of ["a", "b", "c"].entries()) {
      const [path] = await kept(new WeightsFolder(options), name, 12 * KiB, i);
      paths.push(path);
      await utimes(path, i, i);
    }
    const part = (): string => join(folder, `${"0".repeat(64)}.weights.${randomUUID()}.part`);
    const [dead, alive] = [part(), part()];
    await writeFile(dead, "");
    await writeFile(alive, "");
    await utimes(dead, 0, 0);
    // The oldest is of use now, so that the second is the oldest.
    expect((await kept(new WeightsFolder(options), "a", 12 * KiB, 0))[1]).toBe(0);
    await kept(new WeightsFolder(options), "d", 12 * KiB, 3);
    const names = await readdir(folder);
    const stays = (path: string): boolean => names.includes(path.slice(folder.length + 1));
    expect(paths.map(stays)).toEqual([true, false, true]);
    expect([dead, alive].map(stays)).toEqual([false, true]);
  }));

it("leaves alone what is not its own, whatever its name ends in", () =>
  inTemporaryFolder(async (folder) => {
    const options = { folder, limit: KiB + page };
    const [hash, name] = ["0".repeat(64), (text: string): string => join(folder, text)];
    const others = ["yolov3.weights", "film.part", `${hash}.weights.part`, `${hash}.weights.old`, `my-${hash}.weights`];
    for (const other of others) {
      await writeFile(name(other), bytes(KiB, 1));
      await utimes(name(other), 1, 1);
    }
    // Names as ours, of what is no file.
    const folders = [`${hash}.weights`, `${hash}.weights.${randomUUID()}.part`];
    for (const other of folders) {
      await mkdir(name(other));
      await utimes(name(other), 1, 1);
    }
    await kept(new WeightsFolder(options), "a", KiB, 1);
    const [own] = await kept(new WeightsFolder(options), "a", KiB, 1);
    await utimes(own, 1, 1);
    await kept(new WeightsFolder(options), "b", KiB, 1);
    expect(await readdir(folder)).toEqual(expect.arrayContaining([...others, ...folders]));
    await expect(stat(own)).rejects.toThrow("ENOENT");
  }));

it("keeps nothing where it would have to remove what somebody was just handed", () =>
  inTemporaryFolder(async (folder) => {
    const options = { folder, limit: 2 * (KiB + page) };
    const [path] = await kept(new WeightsFolder(options), "a", KiB, 1);
    const [used] = await kept(new WeightsFolder(options), "b", KiB, 2);
    const make = vi.fn(() => Promise.resolve(bytes(KiB, 3)));
    // Another process, as it were, asks for a third.
    expect(await new WeightsFolder(options).keep("c", KiB, make)).toBeUndefined();
    expect(make).not.toHaveBeenCalled();
    expect(await kept(new WeightsFolder(options), "a", KiB, 1)).toEqual([path, 0]);
    // Four minutes are not long enough, six are.
    const ago = (minutes: number): number => Date.now() / 1000 - 60 * minutes;
    await utimes(used, ago(4), ago(4));
    expect(await new WeightsFolder(options).keep("c", KiB, make)).toBeUndefined();
    await utimes(used, ago(6), ago(6));
    await kept(new WeightsFolder(options), "c", KiB, 3);
    expect(await readdir(folder)).toHaveLength(2);
    await expect(stat(used)).rejects.toThrow("ENOENT");
  }));

it("never removes what it handed out itself, whatever the file's time says", () =>
  inTemporaryFolder(async (folder) => {
    const store = new WeightsFolder({ folder, limit: KiB + page });
    const [path] = await kept(store, "a", KiB, 1);
    // As of another user's file, whose time cannot be set.
    await utimes(path, 1, 1);
    expect(await store.keep("b", KiB, () => Promise.resolve(bytes(KiB, 2)))).toBeUndefined();
    expect(await readdir(folder)).toHaveLength(1);
  }));

it("looks at a file's time again before it removes it, and makes one anew that was gone by then", () =>
  inTemporaryFolder(async (folder) => {
    const options = { folder, limit: 2 * (KiB + page) };
    const [old] = await kept(new WeightsFolder(options), "a", KiB, 1);
    const [older] = await kept(new WeightsFolder(options), "b", KiB, 2);
    await utimes(old, 2, 2);
    await utimes(older, 1, 1);
    // Between the first look at both and their removal somebody is handed the other.
    vi.mocked(rm).mockImplementationOnce(async (path) => {
      expect(path).toBe(older);
      await unlink(older);
      await utimes(old, new Date(), new Date());
    });
    const big = 2 * KiB + page;
    expect(await new WeightsFolder(options).keep("c", big, () => Promise.resolve(bytes(big, 3)))).toBeUndefined();
    expect(await readdir(folder)).toEqual([old.slice(folder.length + 1)]);
    // A process that found a file and then cannot set its time, as it is gone.
    vi.mocked(utimes).mockImplementationOnce(async (path) => {
      await unlink(path);
      throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
    });
    expect(await kept(new WeightsFolder(options), "a", KiB, 1)).toEqual([old, 1]);
  }));

it("keeps nothing of what is larger than the limit, for which nothing else is removed", () =>
  inTemporaryFolder(async (folder) => {
    const limit = KiB + page;
    const [path] = await kept(new WeightsFolder({ folder, limit }), "a", KiB, 1);
    await utimes(path, 1, 1);
    const make = vi.fn(() => Promise.resolve(bytes(KiB + 1, 2)));
    expect(await new WeightsFolder({ folder, limit }).keep("b", KiB + 1, make)).toBeUndefined();
    expect(await new WeightsFolder({ folder: join(folder, "none"), limit: 0 }).keep("b", 0, make)).toBeUndefined();
    expect(make).not.toHaveBeenCalled();
    expect(await readdir(folder)).toEqual([path.slice(folder.length + 1)]);
  }));

it("heeds a lowered limit, and removes what dead processes left, when it finds all that it is asked for", () =>
  inTemporaryFolder(async (folder) => {
    const paths: string[] = [];
    for (const [i, name] of ["a", "b", "c"].entries()) {
      const [path] = await kept(new WeightsFolder({ folder, limit: 2 ** 20 }), name, KiB, i);
      paths.push(path);
      await utimes(path, i, i);
    }
    const dead = `${paths[0]!}.${randomUUID()}.part`;
    await writeFile(dead, "");
    await utimes(dead, 0, 0);
    const store = new WeightsFolder({ folder, limit: 2 * (KiB + page) });
    expect((await kept(store, "c", KiB, 2))[1]).toBe(0);
    const names = paths.slice(1).map((path) => path.slice(folder.length + 1));
    expect((await readdir(folder)).toSorted()).toEqual(names.toSorted());
  }));

it("counts what is under way", () =>
  inTemporaryFolder(async (folder) => {
    await writeFile(join(folder, `${"0".repeat(64)}.weights.${randomUUID()}.part`), bytes(KiB, 1));
    const make = (): Promise<Uint8Array> => Promise.resolve(bytes(KiB, 1));
    expect(await new WeightsFolder({ folder, limit: 2 * KiB + page - 1 }).keep("a", KiB, make)).toBeUndefined();
    await kept(new WeightsFolder({ folder, limit: 2 * KiB + page }), "a", KiB, 1);
  }));

it("says in one line where weights cannot be kept, and what to do", () =>
  inTemporaryFolder(async (folder) => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const store = new WeightsFolder({ folder: join(file, "weights"), limit: 2 ** 20 });
    await expect(store.keep("a", 1, () => Promise.resolve(bytes(1, 1)))).rejects.toThrow(
      `${file}/weights: weights cannot be kept there (ENOTDIR); SCALEKV_CACHE names another place, --no-weights-cache goes without`,
    );
    expect(await readdir(folder)).toEqual(["file"]);
  }));

it("says in one line that a file could not be written, and leaves nothing of it", () =>
  inTemporaryFolder(async (folder) => {
    vi.mocked(rename).mockRejectedValueOnce(Object.assign(new Error("ENOSPC"), { code: "ENOSPC" }));
    const store = new WeightsFolder({ folder, limit: 2 ** 20 });
    await expect(store.keep("a", 1, () => Promise.resolve(bytes(1, 1)))).rejects.toThrow(
      `${folder}: weights cannot be kept there (ENOSPC); SCALEKV_CACHE names another place`,
    );
    expect(await readdir(folder)).toEqual([]);
  }));

it.runIf(process.platform === "linux")("says so of a folder in which none can be made", async () => {
  const store = new WeightsFolder({ folder: "/proc/nope/weights", limit: 2 ** 20 });
  await expect(store.keep("a", 1, () => Promise.resolve(bytes(1, 1)))).rejects.toThrow(
    /^\/proc\/nope\/weights: weights cannot be kept there \(ENOENT\)/,
  );
});

it("passes on what goes wrong while weights are made, and keeps nothing of it", () =>
  inTemporaryFolder(async (folder) => {
    const store = new WeightsFolder({ folder, limit: 2 ** 20 });
    await expect(store.keep("a", 1, () => Promise.reject(new Error("damaged checkpoint")))).rejects.toThrow(
      /^damaged checkpoint$/,
    );
    expect(await readdir(folder)).toEqual([]);
  }));

it("lies where the environment says", () => {
  expect(weightsFolderOptions({ XDG_CACHE_HOME: "/x" })).toEqual({ folder: "/x/scalekv/weights", limit: 2 ** 34 });
  const named = { SCALEKV_CACHE: "/y", SCALEKV_CACHE_LIMIT: "1.5GiB", XDG_CACHE_HOME: "/x" };
  expect(weightsFolderOptions(named)).toEqual({ folder: "/y/weights", limit: 1.5 * 2 ** 30 });
  const empty = { SCALEKV_CACHE: "", SCALEKV_CACHE_LIMIT: "", XDG_CACHE_HOME: "" };
  expect(weightsFolderOptions(empty)).toEqual(weightsFolderOptions({}));
  expect(weightsFolderOptions({ SCALEKV_CACHE_LIMIT: "0" }).limit).toBe(0);
  expect(weightsFolderOptions({}).folder).toMatch(/\.cache\/scalekv\/weights$/);
  expect(() => weightsFolderOptions({ SCALEKV_CACHE_LIMIT: "12" })).toThrow(
    "SCALEKV_CACHE_LIMIT 12: not a size, such as 512MiB or 16GiB",
  );
});
