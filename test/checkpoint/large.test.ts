/** Files over 4 GiB, where 32-bit offsets end. They are sparse: holes read as zeros and take no disk space. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { closeCheckpoint } from "../../src/checkpoint/checkpoint.js";
import { openCheckpoint } from "../../src/checkpoint/open.js";
import { readNumbers, readRows } from "../../src/checkpoint/read.js";
import { sliceRows } from "../../src/checkpoint/tensor.js";
import {
  concat,
  pickle,
  pickledTensor,
  safetensorsBytes,
  uint,
  writeSparse,
  zipLayout,
} from "../support/torch-file.js";

const GIB = 2 ** 30;
/** Rows of 1 MiB of float32, 5 GiB in all. */
const ROWS = 5 * 1024;
const COLUMNS = 2 ** 18;
const COUNT = ROWS * COLUMNS;
const MARKS = new Uint8Array(Float32Array.of(1, 2, 3).buffer);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "large-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("safetensors of 5 GiB", async () => {
  const path = join(folder, "large.safetensors");
  const header = safetensorsBytes({
    big: { dtype: "F32", shape: [ROWS, COLUMNS], data_offsets: [0, 4 * COUNT] },
    last: { dtype: "F32", shape: [3], data_offsets: [4 * COUNT, 4 * COUNT + 12] },
  });
  const end = header.byteLength + 4 * COUNT;
  // The first values of the last row, and the tensor behind it.
  await writeSparse(path, [
    { position: 0, bytes: header },
    { position: end - 4 * COLUMNS, bytes: MARKS },
    { position: end, bytes: MARKS },
  ]);
  const checkpoint = await openCheckpoint(path);
  const [big, last] = [checkpoint.tensors.get("big")!, checkpoint.tensors.get("last")!];
  expect(last.offset).toBe(end);
  expect([...(await readNumbers(last))]).toEqual([1, 2, 3]);
  const rows = await readRows(big, [0, ROWS - 1]);
  expect([...rows.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
  expect([...rows.subarray(COLUMNS, COLUMNS + 4)]).toEqual([1, 2, 3, 0]);
  await closeCheckpoint(checkpoint);
});

test("a torch archive of 5 GiB, by zip64", async () => {
  const path = join(folder, "large.pth");
  const big = pickledTensor({
    key: "0",
    storage: "FloatStorage",
    count: COUNT,
    shape: [ROWS, COLUMNS],
    strides: [COLUMNS, 1],
  });
  const last = pickledTensor({ key: "1", storage: "FloatStorage", count: 3, shape: [3], strides: [1] });
  const layout = zipLayout([
    { name: "large/data.pkl", bytes: pickle.file(pickle.dictionary({ big, last })) },
    { name: "large/data/0", bytes: MARKS, zeros: 4 * COUNT - MARKS.byteLength },
    { name: "large/data/1", bytes: MARKS },
  ]);
  await writeSparse(path, layout);
  const checkpoint = await openCheckpoint(path);
  expect(checkpoint.tensors.get("last")!.offset).toBeGreaterThan(5 * GIB);
  expect([...(await readNumbers(checkpoint.tensors.get("last")!))]).toEqual([1, 2, 3]);
  const row = await readNumbers(sliceRows(checkpoint.tensors.get("big")!, 0, 1));
  expect([...row.subarray(0, 4)]).toEqual([1, 2, 3, 0]);
  await closeCheckpoint(checkpoint);
});

test("the old torch format with 5 GiB", async () => {
  const path = join(folder, "large-legacy.pth");
  const tensor = (key: string, count: number, shape: readonly number[]) =>
    pickledTensor({ key, storage: "FloatStorage", count, shape, strides: [1] });
  const magic = concat(0x80, 2, 0x8a, 10, Buffer.from("6cfc9c46f9206aa85019", "hex"), ".");
  const machine = pickle.dictionary({ little_endian: concat(0x88) });
  const root = pickle.dictionary({ big: tensor("a", COUNT, [COUNT]), last: tensor("b", 3, [3]) });
  const keys = concat("](", pickle.text("a"), pickle.text("b"), "e");
  const pickles = [pickle.int(1001), machine, root, keys].map(pickle.file);
  const head = concat(magic, ...pickles, uint(COUNT, 8));
  await writeSparse(path, [
    { position: 0, bytes: head },
    { position: head.byteLength + 4 * COUNT, bytes: concat(uint(3, 8), MARKS) },
  ]);
  const checkpoint = await openCheckpoint(path);
  expect(checkpoint.format).toBe("torch-legacy");
  expect([...(await readNumbers(checkpoint.tensors.get("last")!))]).toEqual([1, 2, 3]);
  await closeCheckpoint(checkpoint);
});
