import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, safetensorsBytes, uint } from "../../test/support/torch-file.js";
import { CheckpointError } from "../errors.js";
import type { Checkpoint } from "./checkpoint.js";
import { openCheckpointSource } from "./format.js";
import { bytesSource } from "./source.js";

function open(bytes: Uint8Array): Promise<Checkpoint> {
  return openCheckpointSource(bytesSource("test.safetensors", bytes));
}

/** A file of 8 bytes of data with one tensor `w`. */
function openOne(entry: unknown): Promise<Checkpoint> {
  return open(safetensorsBytes({ w: entry }, new Uint8Array(8)));
}

test("offsets count from the end of the header", async () => {
  const bytes = safetensorsBytes(
    {
      __metadata__: { format: "pt" },
      w: { dtype: "F16", shape: [1, 3], data_offsets: [2, 8] },
      first: { dtype: "U8", shape: [2], data_offsets: [0, 2] },
    },
    new Uint8Array(8),
  );
  const { tensors, format } = await open(bytes);
  expect(format).toBe("safetensors");
  expect([...tensors.keys()]).toEqual(["w", "first"]);
  expect(tensors.get("w")).toMatchObject({
    dtype: "f16",
    shape: [1, 3],
    strides: [3, 1],
    offset: bytes.byteLength - 6,
  });
});

test("a header whose length begins like a pickle is still a header", async () => {
  const padded = JSON.stringify({ w: { dtype: "U8", shape: [0], data_offsets: [0, 0] } }).padEnd(0x80);
  const { tensors } = await open(concat(uint(0x80, 8), padded));
  expect([...tensors.keys()]).toEqual(["w"]);
});

describe("refused, naming file and tensor", () => {
  const cases: readonly (readonly [what: string, entry: unknown, message: RegExp])[] = [
    [
      "an unknown dtype",
      { dtype: "F8_E4M3", shape: [8], data_offsets: [0, 8] },
      /tensor "w": dtype "F8_E4M3", only F64 F32/,
    ],
    ["an inherited name as dtype", { dtype: "toString", shape: [8], data_offsets: [0, 8] }, /only F64 F32 F16/],
    ["no dtype", { shape: [8], data_offsets: [0, 8] }, /dtype \(missing\)/],
    ["another length", { dtype: "F32", shape: [1], data_offsets: [0, 8] }, /\[1\] F32 needs 4 bytes, it has 8/],
    ["beyond the file", { dtype: "F32", shape: [3], data_offsets: [0, 12] }, /its data ends at byte \d+, the file at/],
    ["an empty tensor beyond it", { dtype: "F32", shape: [0], data_offsets: [9, 9] }, /its data ends at byte/],
    ["a turned range", { dtype: "F32", shape: [1], data_offsets: [4, 0] }, /data_offsets \[4,0\] are not a range/],
    ["three offsets", { dtype: "F32", shape: [1], data_offsets: [0, 4, 8] }, /not a range/],
    ["a negative size", { dtype: "F32", shape: [-1], data_offsets: [0, 4] }, /shape \[-1\] is not a shape/],
    ["half a size", { dtype: "F32", shape: [0.5], data_offsets: [0, 2] }, /is not a shape/],
    ["text as size", { dtype: "F32", shape: ["1"], data_offsets: [0, 4] }, /is not a shape/],
    ["a product beyond 2^53", { dtype: "U8", shape: [2 ** 30, 2 ** 30], data_offsets: [0, 8] }, /is not a shape/],
    ["nothing", null, /dtype \(missing\)/],
  ];
  test.each(cases)("%s", async (_, entry, message) => {
    await expect(openOne(entry)).rejects.toThrow(CheckpointError);
    await expect(openOne(entry)).rejects.toThrow(message);
  });

  test.each([
    ["a header over 100 MB", concat(uint(100_000_001, 8), "{"), /a header of 100000001 bytes, the limit is 100000000/],
    ["a header beyond the file", concat(uint(50, 8), "{}"), /the header ends at byte 58, the file at 10/],
    ["a header that is not JSON", concat(uint(2, 8), "{{"), /the header is not JSON/],
    ["an empty file", new Uint8Array(), /0 bytes that begin with ""/],
  ])("%s", async (_, bytes, message) => {
    await expect(open(bytes)).rejects.toThrow(message);
  });

  test("in one short line, however long or deep the header's values are", async () => {
    const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
    const long = `[${"1,".repeat(300_000)}1]`;
    const large = `[${new Array(64).fill(2 ** 53 - 1).join()}]`;
    const entries = [
      `{"dtype":"F32","shape":${deep},"data_offsets":[0,0]}`,
      `{"dtype":"F32","shape":[2],"data_offsets":${deep}}`,
      `{"dtype":${deep},"shape":[2],"data_offsets":[0,8]}`,
      `{"dtype":"F32","shape":${long},"data_offsets":[0,8]}`,
      `{"dtype":"F32","shape":[0,${long.slice(1)},"data_offsets":[0,0]}`,
      `{"dtype":"F32","shape":${large},"data_offsets":[0,8]}`,
      `{"dtype":"F32","shape":[2],"data_offsets":${long}}`,
    ];
    for (const entry of entries) {
      const json = `{"w":${entry}}`;
      const opened = open(concat(uint(json.length, 8), json, new Uint8Array(8)));
      await expect(opened).rejects.toThrow(CheckpointError);
      await expect(opened).rejects.toThrow(/^[^\n]{1,500}$/);
    }
  });

  test("a header of millions of brackets, before it is parsed", async () => {
    const json = `{"w":${"[".repeat(4_000_001)}`;
    await expect(open(concat(uint(json.length, 8), json))).rejects.toThrow(/more than 4000000 values/);
  });
});

describe("the data, which tensors fill one after another", () => {
  /** Sizes in bytes of at least two tensors that are not empty, with empty ones among them. */
  const sizes = fc
    .array(fc.nat(4), { minLength: 2, maxLength: 12 })
    .filter((all) => all.filter((size) => size > 0).length > 1);

  /** Ranges of U8 tensors that follow one another. */
  function ranges(lengths: readonly number[]): [number, number][] {
    let end = 0;
    return lengths.map((length) => [end, (end += length)]);
  }

  function openRanges(all: readonly (readonly [number, number])[], bytes: number): Promise<Checkpoint> {
    const entries = all.map(([start, end], i) => [
      `t${i}`,
      { dtype: "U8", shape: [end - start], data_offsets: [start, end] },
    ]);
    return open(safetensorsBytes(Object.fromEntries(entries), new Uint8Array(bytes)));
  }

  test("is read in any order of names", async () => {
    const shuffled = sizes.chain((lengths) => {
      const all = ranges(lengths);
      return fc.shuffledSubarray(all, { minLength: all.length });
    });
    const property = fc.asyncProperty(shuffled, async (all) => {
      const { tensors } = await openRanges(all, Math.max(...all.flat()));
      expect(tensors.size).toBe(all.length);
    });
    await fc.assert(property);
  });

  test("is refused where a range is moved or left out", async () => {
    const property = fc.asyncProperty(sizes, fc.nat(), fc.integer({ min: -3, max: 3 }), async (lengths, at, by) => {
      const all = ranges(lengths);
      const filled = all.filter(([start, end]) => end > start);
      const [start, end] = filled[at % filled.length]!;
      const total = all.at(-1)![1];
      // By nothing: left out, as the first of two entries of one name would be.
      const moved = by === 0 ? [] : [[start + by, end + by] as const];
      fc.pre(start + by >= 0 && end + by <= total);
      const others = all.filter((range) => range[0] !== start || range[1] !== end);
      await expect(openRanges([...others, ...moved], total)).rejects.toThrow(CheckpointError);
    });
    await fc.assert(property, { numRuns: 300 });
  });

  const u8 = (start: number, end: number) => ({ dtype: "U8", shape: [end - start], data_offsets: [start, end] });
  test.each([
    ["overlap", { a: u8(0, 5), b: u8(4, 8) }, /tensor "b": its data begins at byte 117, what precedes it ends at 118$/],
    ["hole", { a: u8(0, 3), b: u8(4, 8) }, /tensor "b": its data begins at byte 117, what precedes it ends at 116$/],
    ["hole before the first", { a: u8(1, 8) }, /tensor "a": its data begins at byte 62, what precedes it ends at 61$/],
    ["trailing bytes", { a: u8(0, 7) }, /the last tensor ends at byte 68, the file at 69$/],
    ["empty tensor inside another", { a: u8(0, 8), b: u8(4, 4) }, /tensor "b": its data begins at byte 117/],
  ])("%s", async (_, header, message) => {
    await expect(open(safetensorsBytes(header, new Uint8Array(8)))).rejects.toThrow(message);
  });

  test("a name that comes twice", async () => {
    const entry = (start: number) => `"a":${JSON.stringify(u8(start, start + 4))}`;
    const json = `{${entry(0)},${entry(4)}}`;
    const file = concat(uint(json.length, 8), json, new Uint8Array(8));
    await expect(open(file)).rejects.toThrow(/tensor "a": its data begins at byte \d+, what precedes it ends at/);
  });
});
