import type * as FileSystem from "node:fs/promises";
import { open, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { noise } from "../../test/support/cache.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { HEADER_BYTES, isWhole, weightsFileKind, weightsFileName, writeWhole } from "./weights-file.js";

vi.mock("node:fs/promises", { spy: true });

const KiB = 2 ** 10;
const MiB = 2 ** 20;
const bytes = (length: number): Uint8Array => new Uint8Array(noise(Math.ceil(length / 4), 1).buffer, 0, length);

it("tells its files from those of others by their names", () => {
  const name = weightsFileName("some weights");
  expect(weightsFileKind(name)).toBe("whole");
  expect(weightsFileName("others")).not.toBe(name);
  for (const other of ["yolov3.weights", `my-${name}`, `${name}.part`, `${name}.old`, "film.part"]) {
    expect(weightsFileKind(other)).toBeUndefined();
  }
});

/** Writes zeros of this length over data. */
async function overwrite(path: string, at: number, length: number): Promise<void> {
  const file = await open(path, "r+");
  await file.write(new Uint8Array(length), 0, length, HEADER_BYTES + at);
  await file.close();
}

it.each([
  ["one byte of a small file", 100 * KiB, 77_777, 1],
  ["the first byte of a small file", 1, 0, 1],
  ["a piece of a large file", 5 * MiB + 5, 3 * MiB - 100, 256 * KiB + 4 * KiB],
  ["the last byte of a large file", 5 * MiB + 5, 5 * MiB + 4, 1],
  ["the last byte of a file without a rest", 5 * MiB, 5 * MiB - 1, 1],
])("notices zeros over %s", (_, size, at, length) =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, weightsFileName("a"));
    await writeWhole(path, bytes(size));
    expect(await isWhole(path, size)).toBe(true);
    expect(await isWhole(path, size + 1)).toBe(false);
    await overwrite(path, at, length);
    expect(await isWhole(path, size)).toBe(false);
  }),
);

it("notices a file under another's name", () =>
  inTemporaryFolder(async (folder) => {
    const [path, other] = ["a", "b"].map((name) => join(folder, weightsFileName(name))) as [string, string];
    await writeWhole(path, bytes(KiB));
    await writeFile(other, await readFile(path));
    expect([await isWhole(path, KiB), await isWhole(other, KiB)]).toEqual([true, false]);
  }));

it("gives a file its name when all of it is there, and then leaves it alone", () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, weightsFileName("a"));
    const system = await vi.importActual<typeof FileSystem>("node:fs/promises");
    const seen: unknown[] = [];
    vi.mocked(rename).mockImplementationOnce(async (from, to) => {
      const name = String(from).slice(folder.length + 1);
      expect([await readdir(folder), weightsFileKind(name), to]).toEqual([[name], "under way", path]);
      const { size, ino } = await stat(from);
      seen.push(ino);
      expect(size).toBe(HEADER_BYTES + KiB);
      // All of its bytes, not only their number.
      expect((await readFile(from)).subarray(HEADER_BYTES)).toEqual(Buffer.from(bytes(KiB)));
      await system.rename(from, to);
    });
    await writeWhole(path, bytes(KiB));
    expect(seen).toEqual([(await stat(path)).ino]);
    expect(await isWhole(path, KiB)).toBe(true);
  }));

it("leaves nothing behind where it cannot be written", () =>
  inTemporaryFolder(async (folder) => {
    const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    vi.mocked(rename).mockRejectedValueOnce(full);
    await expect(writeWhole(join(folder, weightsFileName("a")), bytes(KiB))).rejects.toBe(full);
    expect(await readdir(folder)).toEqual([]);
  }));
