import { describe, expect, test } from "vitest";
import { concat, uint, zipBytes } from "../../test/support/torch-file.js";
import { CheckpointError } from "../errors.js";
import { bytesSource } from "./source.js";
import { readZipDirectory } from "./zip.js";

const DATA = Buffer.from("0123456789");

function read(bytes: Uint8Array): ReturnType<typeof readZipDirectory> {
  return readZipDirectory(bytesSource("test.zip", bytes));
}

describe("entries", () => {
  test("offsets point at the data", async () => {
    const bytes = zipBytes([
      { name: "a", bytes: DATA },
      { name: "b/c", bytes: DATA.subarray(4) },
      { name: "empty", bytes: new Uint8Array() },
    ]);
    const entries = await read(bytes);
    expect([...entries.keys()]).toEqual(["a", "b/c", "empty"]);
    for (const [name, text] of [
      ["a", "0123456789"],
      ["b/c", "456789"],
      ["empty", ""],
    ] as const) {
      const { offset, size } = entries.get(name)!;
      expect(Buffer.from(bytes.subarray(offset, offset + size)).toString()).toBe(text);
    }
  });

  test("an archive with a comment, without zip64", async () => {
    const local = concat("PK\u0003\u0004", new Uint8Array(22), uint(1, 2), uint(0, 2), "a", DATA);
    const sizes = concat(uint(10, 4), uint(10, 4), uint(1, 2), new Uint8Array(12), uint(0, 4));
    const entry = concat("PK\u0001\u0002", new Uint8Array(16), sizes, "a");
    const place = concat(uint(1, 2), uint(1, 2), uint(entry.byteLength, 4), uint(local.byteLength, 4));
    const entries = await read(concat(local, entry, "PK\u0005\u0006", uint(0, 4), place, uint(4, 2), "note"));
    expect(entries.get("a")).toEqual({ offset: 31, size: 10 });
  });
});

describe("refused", () => {
  const cases: readonly (readonly [what: string, bytes: Uint8Array, message: RegExp])[] = [
    ["compressed", zipBytes([{ name: "a", bytes: DATA, method: 8 }]), /entry "a" is compressed \(method 8\)/],
    ["encrypted", zipBytes([{ name: "a", bytes: DATA, flags: 1 }]), /entry "a" is encrypted/],
    [
      "duplicate",
      zipBytes([
        { name: "a", bytes: DATA },
        { name: "a", bytes: DATA },
      ]),
      /two entries are named "a"/,
    ],
    ["nothing", new Uint8Array(), /no directory/],
  ];
  test.each(cases)("%s", async (_, bytes, message) => {
    await expect(read(bytes)).rejects.toThrow(CheckpointError);
    await expect(read(bytes)).rejects.toThrow(message);
  });

  test("every truncation", async () => {
    const bytes = zipBytes([{ name: "a", bytes: DATA }]);
    for (let length = 0; length < bytes.byteLength; length++) {
      await expect(read(bytes.subarray(0, length))).rejects.toThrow(CheckpointError);
    }
  });

  test("an entry that runs into the directory", async () => {
    const bytes = zipBytes([{ name: "a", bytes: DATA }]);
    // Both sizes stand in the zip64 field, which follows 46 bytes, the name and the field's own 4 bytes.
    const sizes = Buffer.from(bytes).indexOf("PK\u0001\u0002") + 46 + 1 + 4;
    bytes.set(concat(uint(11, 8), uint(11, 8)), sizes);
    await expect(read(bytes)).rejects.toThrow(/entry "a" ends at byte 42, the directory begins at 41/);
  });

  /** Two entries of the same size, the directory's position of the second being `shift` bytes away from its header. */
  function shifted(names: readonly [string, string], shift: number): Uint8Array {
    const bytes = Buffer.from(zipBytes(names.map((name) => ({ name, bytes: DATA }))));
    // Header, name, the zip64 field's own 4 bytes and two sizes come before the position.
    const position = bytes.lastIndexOf("PK\u0001\u0002") + 46 + names[1].length + 4 + 16;
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(position) + BigInt(shift), position);
    return bytes;
  }

  test.each([
    ["of the same length", ["a", "b"] as const],
    ["that is longer", ["aa", "a"] as const],
    ["that is shorter", ["a", "aa"] as const],
  ])("an entry whose local header has a name %s", async (_, names) => {
    const message = `entry "${names[1]}": the local header at byte 0 has another name`;
    await expect(read(shifted(names, -(30 + names[0].length + DATA.byteLength)))).rejects.toThrow(message);
  });

  test("an entry inside another", async () => {
    const inner = zipBytes([{ name: "b", bytes: DATA }]).subarray(0, 30 + 1 + DATA.byteLength);
    const bytes = concat("xx", inner);
    const both = zipBytes([
      { name: "a", bytes },
      { name: "b", bytes: DATA },
    ]);
    const second = 30 + 1 + bytes.byteLength;
    const position = Buffer.from(both).lastIndexOf("PK\u0001\u0002") + 46 + 1 + 4 + 16;
    both.set(uint(33, 8), position);
    await expect(read(both)).rejects.toThrow(`entry "b" begins at byte 33, the one before it ends at ${second}`);
  });

  test("a directory larger than its file, before it is allocated", async () => {
    const bytes = zipBytes([{ name: "a", bytes: DATA }]);
    const end64 = Buffer.from(bytes).indexOf("PK\u0006\u0006");
    bytes.set(uint(2 ** 50, 8), end64 + 40);
    await expect(read(bytes)).rejects.toThrow(/cut off/);
  });
});
