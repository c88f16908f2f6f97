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
    { __metadata__: { format: "pt" }, w: { dtype: "F16", shape: [1, 3], data_offsets: [2, 8] } },
    new Uint8Array(8),
  );
  const { tensors, format } = await open(bytes);
  expect(format).toBe("safetensors");
  expect([...tensors.keys()]).toEqual(["w"]);
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

  test("a header of millions of brackets, before it is parsed", async () => {
    const json = `{"w":${"[".repeat(4_000_001)}`;
    await expect(open(concat(uint(json.length, 8), json))).rejects.toThrow(/more than 4000000 values/);
  });
});
